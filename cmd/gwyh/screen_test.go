package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestProgressIsWrittenOverOnATerminal(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out, live: true}
	s.step()
	s.begun = s.begun.Add(-time.Second)
	s.shown = s.begun
	s.progress("nodes", 5, 10)
	s.good("done")
	got := out.String()
	if !strings.HasPrefix(got, "\r     nodes ") || !strings.Contains(got, "5 of 10  1.0 s") || !strings.HasSuffix(got, " \r   ✓ done\n") {
		t.Errorf("%q", got)
	}
	if strings.ContainsAny(got, "\x1b") {
		t.Error("colors where none are wanted")
	}
	narrow(t, strings.ReplaceAll(got, "\r", "\n"))
}

func TestProgressIsALineNowAndThenElsewhere(t *testing.T) {
	var out strings.Builder
	s := newScreen(&out)
	s.step()
	s.progress("nodes", 1, 10) // too early for a line
	s.begun, s.shown = s.begun.Add(-3*time.Second), s.shown.Add(-3*time.Second)
	s.progress("nodes", 5, 10)
	s.progress("nodes", 6, 10)
	if got := out.String(); got != "     ... nodes: 5 of 10 after 3 s\n" {
		t.Errorf("%q", got)
	}
}

func TestColorsMarkGoodAndBad(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out, live: true, color: true}
	s.good("a")
	s.bad("b")
	if got := out.String(); got != "   \x1b[32m✓\x1b[0m a\n   \x1b[31m✗\x1b[0m b\n" {
		t.Errorf("%q", got)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) {
		t.Error("a file is taken for a terminal")
	}
}
