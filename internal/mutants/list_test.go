package main

import (
	"strings"
	"testing"
)

// Every line that the list names must exist, so that the list does not become outdated.
func TestEveryMutantCanBeMade(t *testing.T) {
	list, err := parse(builtIn)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 30 {
		t.Errorf("only %d mutants", len(list))
	}
	names := map[string]bool{}
	for _, m := range list {
		if names[m.name] {
			t.Errorf("two mutants are %q", m.name)
		}
		names[m.name] = true
		if m.old == m.new {
			t.Errorf("%s: no change", m.name)
		}
		if _, err := m.apply("../.."); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestMalformedListIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"name: x\nfile: y\nold: z":      "missing",
		"name: x\nfil: y":               "unknown key",
		"# only a comment\n\n# another": "",
	} {
		list, err := parse(text)
		if want == "" && (err != nil || len(list) != 0) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, %v", text, list, err)
		}
	}
}

func TestMutantThatIsNotThereOnceIsRefused(t *testing.T) {
	for _, m := range []mutant{
		{file: "list.go", old: "nowhere in this file, as" + " it seems"},
		{file: "list.go", old: "m.name"},
		{file: "list.go", old: "package main", new: "package"},
		{file: "nothing.go", old: "x"},
	} {
		if _, err := m.apply("."); err == nil {
			t.Errorf("%+v was made", m)
		}
	}
}
