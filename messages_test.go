package gwyh_test

import (
	"go/ast"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// quietPackages have errors that never reach the application or the log: they cause drops, which are counted.
var quietPackages = []string{"antientropy", "session", "timestamp", "wire"}

// libraryFiles returns the sources of the root package and of all packages of this module that it imports.
func libraryFiles(t *testing.T) (files []parsedFile) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		dir, ours := strings.CutPrefix(path, module)
		if !ours || slices.Contains(quietPackages, filepath.Base(dir)) {
			continue
		}
		dir = filepath.Join(".", dir)
		for _, f := range parseFiles(t, dir, isSource) {
			if filepath.Dir(f.path) == dir {
				files = append(files, f)
			}
		}
	}
	return files
}

// text returns the value of a string literal, or of a sum of string literals.
func text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, okX := text(e.X)
		y, okY := text(e.Y)
		return x + y, okX && okY
	}
	return "", false
}

var verbs = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// messages returns the texts of errors and warnings in a file, with … for each argument. It leaves out texts that only
// wrap another message in a word or two.
func messages(f *ast.File) (all []string) {
	words := func(s string) int { return len(strings.Fields(squeezed(strings.TrimPrefix(s, "gwyh: ")))) }
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		least := map[string]int{"New": 2, "Errorf": 2, "errorf": 2, "warn": 3, "Warnf": 3, "Warn": 3, "Sprintf": 5}[callee(call)]
		if least == 0 {
			return true
		}
		for _, argument := range call.Args {
			s, ok := text(argument)
			if s = verbs.ReplaceAllString(s, "…"); ok && words(s) >= least && !strings.HasPrefix(s, " ") {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}

// callee returns the name of the called function or method.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// squeezed returns a text without the details that differ in a table.
func squeezed(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("…", "", ":", "", "`", "", `"`, "", ".", "").Replace(s)), " ")
}

func TestEveryErrorAndWarningHasAnEntryInTroubleshooting(t *testing.T) {
	var entries []string
	for _, quoted := range regexp.MustCompile("`[^`\n]+`").FindAllString(read(t, "docs/TROUBLESHOOTING.md"), -1) {
		entries = append(entries, squeezed(quoted))
	}
	found := 0
	for _, f := range libraryFiles(t) {
		for _, message := range messages(f.ast) {
			found++
			if s := squeezed(message); !slices.ContainsFunc(entries, func(e string) bool { return e == s }) {
				t.Errorf("%s: docs/TROUBLESHOOTING.md has no entry for `%s`", f.path, message)
			}
		}
	}
	if found < 100 {
		t.Errorf("%d messages found: they are not where this test looks for them", found)
	}
}
