package main

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// A mutant is one change to a line of a file that a test must notice.
type mutant struct {
	name    string // what the change breaks
	file    string // below the root of the module
	old     string // occurs exactly once in the file
	new     string // replaces old
	tests   string // the package whose tests must notice the change; below the root of the module
	pattern string // selects the tests; empty: all
}

// parse parses a list of mutants: blocks of "key: value" lines, separated by empty lines. # begins a comment line.
func parse(text string) (list []mutant, err error) {
	for i, block := range strings.Split(text, "\n\n") {
		var m mutant
		fields := map[string]*string{"name": &m.name, "file": &m.file, "old": &m.old, "new": &m.new, "tests": &m.tests, "run": &m.pattern}
		for line := range strings.Lines(block) {
			if line = strings.TrimRight(line, "\n"); line == "" || line[0] == '#' {
				continue
			}
			key, value, _ := strings.Cut(line, ":")
			field := fields[key]
			if field == nil {
				return nil, fmt.Errorf("block %d: unknown key %q", i+1, key)
			}
			*field = strings.TrimPrefix(value, " ")
		}
		if m == (mutant{}) {
			continue
		}
		if m.name == "" || m.file == "" || m.old == "" || m.tests == "" {
			return nil, fmt.Errorf("block %d: name, file, old or tests is missing", i+1)
		}
		list = append(list, m)
	}
	return list, nil
}

// apply returns the mutant's file with the change. It fails if old does not occur once or the result is not Go.
func (m *mutant) apply(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(source, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s: %q is there %d times, want once", m.file, m.old, n)
	}
	mutated := bytes.Replace(source, []byte(m.old), []byte(m.new), 1)
	if _, err := parser.ParseFile(token.NewFileSet(), m.file, mutated, parser.SkipObjectResolution); err != nil {
		return nil, err
	}
	return mutated, nil
}
