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

// operatorDirs are the packages of other modules whose messages an operator of agents reads.
var operatorDirs = []string{"discover", "statuspage", "cmd/gwyh/internal/agent", "cmd/gwyh/internal/api", "cmd/gwyh/internal/cli", "cmd/gwyh/internal/client",
	"cmd/gwyh/internal/config", "cmd/gwyh/internal/handler", "cmd/gwyh/internal/notify"}

// operatorFiles returns the sources of operatorDirs.
func operatorFiles(t *testing.T) (files []parsedFile) {
	t.Helper()
	for _, dir := range operatorDirs {
		dir = filepath.FromSlash(dir)
		for _, f := range parseFiles(t, dir, isSource) {
			if filepath.Dir(f.path) == dir {
				files = append(files, f)
			}
		}
	}
	return files
}

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

// libraryCalls are the functions that make errors and log lines in the library, each with the least number of words of a
// message: shorter texts only wrap another message. In operatorDirs, Sprintf makes parts of a page or of a table.
var (
	libraryCalls  = map[string]int{"New": 2, "Errorf": 2, "errorf": 2, "warn": 3, "log": 2, "Warnf": 3, "Warn": 3, "Sprintf": 5}
	operatorCalls = map[string]int{"New": 2, "Errorf": 2, "Info": 2, "Warn": 2, "Error": 2}
)

// messages returns the texts of errors and log lines in a file, with … for each argument.
func messages(f *ast.File, calls map[string]int) (all []string) {
	words := func(s string) int { return len(strings.Fields(squeezed(strings.TrimPrefix(s, "gwyh: ")))) }
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		least := calls[callee(call)]
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

func TestEveryErrorAndLogLineHasAnEntryInTroubleshooting(t *testing.T) {
	var entries []string
	for _, quoted := range regexp.MustCompile("`[^`\n]+`").FindAllString(read(t, "docs/TROUBLESHOOTING.md"), -1) {
		entries = append(entries, squeezed(quoted))
	}
	for name, part := range map[string]struct {
		files []parsedFile
		calls map[string]int
		least int
	}{
		"library": {libraryFiles(t), libraryCalls, 130}, "agents": {operatorFiles(t), operatorCalls, 70},
	} {
		t.Run(name, func(t *testing.T) {
			found := 0
			for _, f := range part.files {
				for _, message := range messages(f.ast, part.calls) {
					found++
					if s := squeezed(message); !slices.Contains(entries, s) {
						t.Errorf("%s: docs/TROUBLESHOOTING.md has no entry for `%s`", f.path, message)
					}
				}
			}
			if found < part.least {
				t.Errorf("%d messages found: they are not where this test looks for them", found)
			}
		})
	}
}
