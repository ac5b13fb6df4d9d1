package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestKeyOfAnotherLengthIsRefused(t *testing.T) {
	n := &node{name: "ann"}
	if err := n.start("127.0.0.1:0", "too short"); err == nil || !strings.Contains(err.Error(), "-key: ") {
		t.Errorf("%v", err)
	}
}

func TestWarningsAndErrorsOfTheLogAreWritten(t *testing.T) {
	var out bytes.Buffer
	w := warnings{&out}
	for _, line := range []string{"[DEBUG] memberlist: a\n", "[WARN] memberlist: b\n", "[INFO] memberlist: c\n", "[ERR] memberlist: d\n"} {
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if got, want := out.String(), "[WARN] memberlist: b\n[ERR] memberlist: d\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
