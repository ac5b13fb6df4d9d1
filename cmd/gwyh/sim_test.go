package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/internal/sim"
)

// complaints returns the lines of standard error without those about progress, which a slow machine causes.
func complaints(err string) (rest string) {
	for line := range strings.Lines(err) {
		if !strings.HasPrefix(line, "     ... ") {
			rest += line
		}
	}
	return rest
}

func TestSimReportsWhatAClusterDoes(t *testing.T) {
	code, out, err := invoke(strings.Fields("sim -nodes 20 -zones 3 -idle 2s -duration 2s -loss 0.5")...)
	if code != exitOK || complaints(err) != "" {
		t.Fatalf("exit code %d, error %q, output\n%s", code, err, out)
	}
	for _, want := range []string{
		"gwyh: 20 nodes in 3 regions, simulated; preset lan, strategy uniform, 0.5 % loss, seed 1",
		`✓ cluster complete after \d`,
		`a node sends +\d+.* packets/s, \d.*B/s  \(the busiest one \d+ packets/s, \d.*B/s\)`,
		`across zones go +\d.* packets/s, \d.*B/s, \d+ % of all bytes`,
		"Left alone for 2.00 s",
		"20 messages of 256 B from random nodes in 2.00 s",
		"✓ every message reached all other nodes, exactly once: 380 deliveries",
		`half of the nodes have it after +\d+ ms median`,
		`the last node has it after +\d+ ms median, \d+ ms 99 %, \d+ ms at most`,
		`\d\.\d copies of a message come to each node, \d\.\d of them from another zone`,
		"last node .* messages",
		`within .* of the deliveries`, `ms .* 100\.0 %`,
		"sent by .* to us-east .* to us-west .* to eu-west",
		"1 crash at the same moment",
		"✓ all other nodes detected every crash",
		`the last node knows after +\d`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("output does not tell %q", want)
		}
	}
	if strings.ContainsAny(out, "\r\x1b") || strings.Contains(out, "✗") || t.Failed() {
		t.Error(out)
	}
}

func TestSimReportsToMachines(t *testing.T) {
	code, out, err := invoke(strings.Fields("sim -nodes 10 -idle 1s -duration 1s -json")...)
	var r struct {
		Nodes     int
		Broadcast struct {
			Wanted int `json:"deliveries_wanted"`
			Last   struct {
				P50 float64 `json:"p50_ms"`
			} `json:"last_node"`
		}
	}
	if problem := json.Unmarshal([]byte(out), &r); code != exitOK || complaints(err) != "" || problem != nil {
		t.Fatalf("exit code %d, error %q, %v, output\n%s", code, err, problem, out)
	}
	switch {
	case r.Nodes != 10:
		t.Errorf("the report is of %v nodes, want 10", r.Nodes)
	case r.Broadcast.Wanted != 90:
		t.Errorf("%v deliveries are wanted, want 90", r.Broadcast.Wanted)
	case r.Broadcast.Last.P50 <= 0:
		t.Errorf("the median of the last deliveries is %v ms, want more than 0", r.Broadcast.Last.P50)
	case r.Broadcast.Last.P50 > 100:
		t.Errorf("the median of the last deliveries is %v ms, want at most 100", r.Broadcast.Last.P50)
	}
}

// Paths that carry less, and more, than the datagrams that nodes begin with.
func TestSimFindsTheLargestDatagram(t *testing.T) {
	for _, mtu := range []string{"1200", "1300", "9000"} {
		code, out, err := invoke("sim", "-nodes", "40", "-mtu", mtu, "-idle", "0s", "-duration", "2s", "-size", "5000")
		if code != exitOK || complaints(err) != "" || !strings.Contains(out, "✓ every message reached all other nodes, exactly once: 780 deliveries") {
			t.Errorf("-mtu %s: exit code %d, error %q, output\n%s", mtu, code, err, out)
		}
	}
}

func TestSimOfLoopbackCarriesItsDatagrams(t *testing.T) {
	code, out, err := invoke("sim", "-nodes", "40", "-preset", "local", "-idle", "0s", "-duration", "1s")
	if code != exitOK || complaints(err) != "" || !strings.Contains(out, "✓ every message reached all other nodes, exactly once: 390 deliveries") {
		t.Errorf("exit code %d, error %q, output\n%s", code, err, out)
	}
}

func TestSimReadsAMapOfZones(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zones.csv")
	if err := os.WriteFile(file, []byte("ms,near,far\nnear,1,70\nfar,70,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, err := invoke("sim", "-nodes", "10", "-map", file, "-idle", "0s", "-duration", "1s", "-crash", "0")
	switch {
	case code != exitOK:
		t.Errorf("the exit code is %v, want %v", code, exitOK)
	case complaints(err) != "":
		t.Errorf("the program complains: %q", err)
	case !strings.Contains(out, "to near"):
		t.Errorf("out lacks %q:\n%v", "to near", out)
	case strings.Contains(out, "Left alone"):
		t.Errorf("out has %q:\n%v", "Left alone", out)
	case strings.Contains(out, "crash"):
		t.Errorf("out has %q:\n%v", "crash", out)
	}
	if code, _, err := invoke("sim", "-map", file+"x"); code != exitFailed || !strings.Contains(err, "zones.csvx") {
		t.Errorf("exit code %d, error %q", code, err)
	}
}

func TestSimWritesATrace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace.json")
	code, _, err := invoke("sim", "-nodes", "3", "-idle", "0s", "-duration", "1s", "-crash", "0", "-trace", file)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, err)
	}
	b, problem := os.ReadFile(file)
	if problem != nil {
		t.Fatal(problem)
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	for _, line := range lines {
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
	}
	if len(lines) < 100 {
		t.Errorf("%d lines", len(lines))
	}
	if code, _, err := invoke("sim", "-trace", filepath.Join(file, "x")); code != exitFailed || !strings.Contains(err, "trace.json") {
		t.Errorf("a file that cannot be made: exit code %d, %q", code, err)
	}
}

func TestSimRunsOneScenarioAgain(t *testing.T) {
	code, out, err := invoke("sim", "-scenario", "merge", "-seed", "3", "-quick")
	switch {
	case code != exitOK:
		t.Errorf("the exit code is %v, want %v", code, exitOK)
	case complaints(err) != "":
		t.Errorf("the program complains: %q", err)
	case !strings.Contains(out, "✓ merge "):
		t.Errorf("out lacks %q:\n%v", "✓ merge ", out)
	case !strings.Contains(out, "Everything is as it should be."):
		t.Errorf("out lacks %q:\n%v", "Everything is as it should be.", out)
	}
}

func TestChecksHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range allChecks() {
		switch {
		case seen[k.Name]:
			t.Errorf("check %q: %q", k.Name, k.Says)
		case k.Name == "":
			t.Errorf("check %q: k.Name is empty", k.Name)
		case k.Says == "":
			t.Errorf("check %q: k.Says is empty", k.Name)
		case len(k.Name) > 20:
			t.Errorf("check %q: the name has %v bytes, want at most 20", k.Name, len(k.Name))
		}
		seen[k.Name] = true
	}
}

func TestSimRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for line, want := range map[string]string{
		"-nodes 1":                         `"1" for flag -nodes: want 2 to 20000`,
		"-zones 6":                         `"6" for flag -zones: want 1 to 5`,
		"-preset moon":                     `"moon" for flag -preset: want one of lan, wan, local`,
		"-latency 5":                       `"5" for flag -latency: want something like 2ms, 1ms-5ms or exp:20ms`,
		"-latency 5ms-1ms":                 `want something like`,
		"-latency exp:-1ms":                `want something like`,
		"-loss 91":                         `"91" for flag -loss: want a number from 0 to 90`,
		"-jitter x":                        `"x" for flag -jitter: want a number from 0 to 1000`,
		"-rate 0":                          `"0" for flag -rate: want a number above 0`,
		"-idle -1s":                        `"-1s" for flag -idle: want a length of time`,
		"-nodes 5 -crash 5":                "-crash 5 with -nodes 5",
		"-map a.csv -zones 2":              "-map with -zones",
		"-trace a -check":                  "-trace with -check",
		"-check -json":                     "-json with -check or -scenario",
		"-scenario merge -nodes 5 -loss 1": "-loss, -nodes with -check or -scenario: they choose their clusters themselves",
		"-quick":                           "-quick without -check or -scenario",
		"-json -full":                      "-full without -check or -scenario",
		"-check -quick -full":              "-quick with -full",
		"-check -scenario merge":           "-check with -scenario",
		"-mtu 1199":                        `"1199" for flag -mtu: want 1200 to 65507`,
		"-preset local -mtu 9000":          "-mtu 9000 with -preset local: want 60000 or more",
		"-size 4":                          `"4" for flag -size: want 8 to 16777216`,
		"now":                              `unexpected argument "now"`,
		"-sizes 5,x":                       `"5,x" for flag -sizes: want numbers of nodes such as 50,200, each 2 to 20000`,
		"-sizes 3,9 -crash 3":              "-crash 3 with -sizes 3,9: want at least one node that stays",
		"-check -html a":                   "-html with -check or -scenario",
		"-subs plenty":                     `"plenty" for flag -subs: want 1 to 64`,
	} {
		code, out, err := invoke(append([]string{"sim"}, strings.Fields(line)...)...)
		if code != exitUsage || out != "" || !strings.Contains(err, want) {
			t.Errorf("gwyh sim %s: exit code %d, %q, error %q, want %q", line, code, out, err, want)
		}
	}
}

func TestSimUsageNamesEveryDefault(t *testing.T) {
	for _, want := range []string{"(default 100)", "(default lan)", "(default uniform)", "(default 0.5ms)", "(default 5)", "(default 0)",
		"(default 1472,", "(default 30s)", "(default 10)", "(default 10s)", "(default 256)", "(default 1)"} {
		if !strings.Contains(simUsage, want) {
			t.Errorf("usage does not say %s", want)
		}
	}
	o, err := parseSimOptions(nil)
	switch d := defaultSimOptions(); {
	case err != nil:
		t.Errorf("without flags: %v", err)
	case o.nodes != d.nodes:
		t.Errorf("without flags: the number of nodes is %v, want %v", o.nodes, d.nodes)
	case o.loss != 0:
		t.Errorf("without flags: the loss is %v, want 0", o.loss)
	case o.latency.is.Mean() != 500*time.Microsecond:
		t.Errorf("without flags: the mean latency is %v, want %v", o.latency.is.Mean(), 500*time.Microsecond)
	}
}

// LAN of internal/sim equals the preset.
func TestLANOfTheSimulatorIsThePreset(t *testing.T) {
	preset, have := coreOf(gwyh.DefaultLANConfig()), sim.LAN()
	preset.Versions = have.Versions
	if !reflect.DeepEqual(preset, have) {
		t.Errorf("preset %+v, simulator %+v", preset, have)
	}
}
