package main

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
)

// invoke runs the program and returns its exit code and output.
func invoke(args ...string) (code int, out, err string) {
	var o, e strings.Builder
	code = run(context.Background(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestHelpIsPrintedWhenItIsAskedFor(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}} {
		if code, out, err := invoke(args...); code != exitOK || out != help() || err != "" {
			t.Errorf("%v: exit code %d, %q, %q", args, code, out, err)
		}
	}
	if code, out, err := invoke("demo", "-h"); code != exitOK || out != demoUsage || err != "" {
		t.Errorf("demo -h: exit code %d, %q, %q", code, out, err)
	}
	if code, out, err := invoke("sim", "-h"); code != exitOK || out != simUsage || err != "" {
		t.Errorf("sim -h: exit code %d, %q, %q", code, out, err)
	}
	if code, out, err := invoke(); code != exitUsage || out != "" || err != help() {
		t.Errorf("without a command: exit code %d, %q, %q", code, out, err)
	}
	narrow(t, help())
	narrow(t, demoUsage)
	narrow(t, simUsage)
}

// narrow fails the test if text does not fit a terminal of 80 columns.
func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "        ")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestUsageNamesEveryFlagCommandAndDefault(t *testing.T) {
	for _, c := range commands {
		if !strings.Contains(help(), "\n\t"+c.name+" ") {
			t.Errorf("usage does not name %s", c.name)
		}
	}
	for _, s := range strategies {
		if !strings.Contains(demoUsage, " "+s.name+" ") {
			t.Errorf("usage does not name strategy %s", s.name)
		}
	}
	for _, want := range []string{"(default 25)", "(default 3)", "(default 200)", "(default 256)", "(default uniform)", "(default 1)"} {
		if !strings.Contains(demoUsage, want) {
			t.Errorf("usage does not say %s", want)
		}
	}
}

func TestBadCommandLinesAreRefusedWithAReason(t *testing.T) {
	for line, want := range map[string]string{
		"dmeo":                    `there is no command "dmeo"`,
		"demo -nodes 3":           `"3" for flag -nodes: want 4 to 500`,
		"demo -nodes 501":         `"501" for flag -nodes: want 4 to 500`,
		"demo -nodes many":        `"many" for flag -nodes: want 4 to 500`,
		"demo -zones 0":           `"0" for flag -zones: want 1 to 500`,
		"demo -nodes 5 -zones 6":  "-zones 6 with -nodes 5",
		"demo -messages -1":       `"-1" for flag -messages: want 1 to 100000`,
		"demo -size 7":            `"7" for flag -size: want 8 to 1200`,
		"demo -size 1201":         `"1201" for flag -size: want 8 to 1200`,
		"demo -strategy anywhere": `"anywhere" for flag -strategy: want one of uniform, hub, local, remote`,
		"demo -loud":              "-loud",
		"demo 25":                 `unexpected argument "25"`,
	} {
		code, out, err := invoke(strings.Fields(line)...)
		if code != exitUsage || out != "" || !strings.Contains(err, want) {
			t.Errorf("gwyh %s: exit code %d, %q, error %q, want %q", line, code, out, err, want)
		}
	}
}

func TestFlagsBecomeOptions(t *testing.T) {
	got, err := parseOptions(strings.Fields("-nodes 40 -zones 4 -messages 10 -size 1000 -strategy hub -seed 7"))
	want := options{nodes: 40, zones: 4, messages: 10, size: 1000, strategy: strategies[1], seed: 7, heartbeat: got.heartbeat}
	if err != nil || got != want || got.strategy.is != gwyh.HubAndSpoke {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := parseOptions(nil); err != nil || got != defaultOptions() {
		t.Errorf("without flags: %+v, %v", got, err)
	}
}

func TestCountsAreWrittenAsWords(t *testing.T) {
	for n, want := range map[int]string{0: "0 nodes", 1: "1 node", 25: "25 nodes", 4800: "4,800 nodes", 1234567: "1,234,567 nodes"} {
		if got := words.Many(n, "node"); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
	for what, want := range map[string]string{"delivery": "2 deliveries", "crash": "2 crashes"} {
		if got := words.Many(2, what); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
