package compat

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// read returns the content of a file of the project.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// syntax returns the syntax trees of all files of the suite.
func syntax(t *testing.T) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func TestDifferencesOfTheSuiteAreThoseOfTheDocument(t *testing.T) {
	var shown []string // ids that the suite uses
	for _, f := range syntax(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "differs" {
					id, _ := strconv.Unquote(call.Args[1].(*ast.BasicLit).Value)
					shown = append(shown, id)
				}
			}
			return true
		})
	}
	_, table, _ := strings.Cut(read(t, "../docs/MIGRATING.md"), "| difference |")
	table, _, _ = strings.Cut(table, "\n\n")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(table, -1) {
		listed = append(listed, row[1])
	}
	slices.Sort(shown)
	slices.Sort(listed)
	shown = slices.Compact(shown)
	if !slices.Equal(shown, listed) {
		t.Errorf("shown by the suite:\n%q\nlisted in docs/MIGRATING.md with both sides and the reason:\n%q", shown, listed)
	}
}

func TestSuiteHasSixtyCasesAtLeast(t *testing.T) {
	cases := 0
	for _, f := range syntax(t) {
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				cases++
			}
		}
	}
	const ofTheSuiteItself = 4
	if cases -= ofTheSuiteItself; cases < 60 {
		t.Errorf("%d cases", cases)
	}
}

func TestDocumentHasEveryFieldOfConfig(t *testing.T) {
	_, fields, _ := strings.Cut(read(t, "../docs/MIGRATING.md"), "## Every field of Config")
	fields, _, _ = strings.Cut(fields, "\n## ")
	for _, f := range reflect.VisibleFields(reflect.TypeFor[memberlist.Config]()) {
		if !strings.Contains(fields, "`"+f.Name+"`") {
			t.Errorf("nothing about %s", f.Name)
		}
	}
}

func TestBothLibrariesHaveTheSameNames(t *testing.T) {
	original, ours := read(t, "lib/lib_memberlist.go"), read(t, "lib/lib_gwyh.go")
	ours = strings.NewReplacer("!memberlist", "memberlist", "github.com/gwyh-go/gwyh", "github.com/hashicorp/memberlist", `"gwyh"`, `"memberlist"`).Replace(ours)
	if original != ours {
		t.Error("the two files differ in more than the tag, the import and the name")
	}
	for line := range strings.Lines(read(t, "../testdata/memberlist-v0.6.txt")) {
		symbol, _, ok := strings.Cut(line, "\t")
		kind, name, _ := strings.Cut(symbol, " ")
		ofType := kind == "field" || kind == "method"
		if ok && !ofType && !regexp.MustCompile(`\b`+name+` += x\.`+name+`\b`).MatchString(original) {
			t.Errorf("%s is not there", symbol)
		}
	}
}
