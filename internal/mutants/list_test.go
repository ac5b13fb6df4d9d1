package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
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
		source, err := m.apply("../..")
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if got := unused(t, filepath.Join("../..", m.file), source); got != "" {
			t.Errorf("%s: it would not compile: %s", m.name, got)
		}
		if !selects(t, filepath.Join("../..", m.tests), m.pattern) {
			t.Errorf("%s: no test of %s has a name like %q", m.name, m.tests, m.pattern)
		}
	}
}

// unused returns a variable that the package of a file declares, and does not use because the file has another content.
// It is the usual reason why a mutant does not compile.
func unused(t *testing.T, path string, content []byte) string {
	t.Helper()
	before := unusedWith(t, path, nil)
	for name, n := range unusedWith(t, path, content) {
		if n > before[name] {
			return name
		}
	}
	return ""
}

// unusedWith counts the variables that a package does not seem to use. Imports are not loaded, so some of them are used.
func unusedWith(t *testing.T, path string, content any) map[string]int {
	t.Helper()
	fset := token.NewFileSet()
	paths, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
	var files []*ast.File
	for _, other := range paths {
		var source any
		if other == path {
			source = content
		}
		if strings.HasSuffix(other, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, other, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	count := map[string]int{}
	check := types.Config{Error: func(err error) {
		if _, name, ok := strings.Cut(err.Error(), "declared and not used: "); ok {
			count[name]++
		}
	}}
	_, _ = check.Check("", fset, files, nil)
	return count
}

// selects reports whether the pattern selects a test of the package in dir.
func selects(t *testing.T, dir, pattern string) bool {
	t.Helper()
	want := regexp.MustCompile(pattern)
	paths, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testNames.FindAllSubmatch(source, -1) {
			if want.Match(m[1]) {
				return true
			}
		}
	}
	return false
}

var testNames = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)`)

func TestMutantThatWouldNotRunIsFound(t *testing.T) {
	list, err := parse("name: x\nfile: list.go\nold: source, err := os\nnew: source, more, err := []byte(nil), 1, error(nil); _, _ = os\ntests: .")
	if err != nil {
		t.Fatal(err)
	}
	source, err := list[0].apply(".")
	if err != nil {
		t.Fatal(err)
	}
	if got := unused(t, "list.go", source); got != "more" {
		t.Errorf("%q is not used, want more", got)
	}
	if selects(t, ".", "TestNone"+"SuchAsThis") || !selects(t, ".", "Malformed") {
		t.Error("tests are not found by their names")
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
