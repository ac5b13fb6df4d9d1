// Command mutants checks that tests notice changes to lines that security depends on. For each mutant of mutants.txt
// it applies the change to a copy that only this run of the tests uses, and runs the tests of a package. A mutant
// that no test notices survives, and the command fails.
//
//	go run ./internal/mutants [-run pattern of names]
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed mutants.txt
var builtIn string

func main() {
	only := flag.String("run", "", "`pattern` of the names of the mutants to run")
	flag.Parse()
	survivors, err := run(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if survivors > 0 {
		fmt.Printf("%d mutants survive or are broken\n", survivors)
		os.Exit(1)
	}
}

// run runs the mutants of the list in the current module and returns how many survive or cannot be tried.
func run(only string) (survivors int, err error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return 0, err
	}
	list, err := parse(builtIn)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for i := range list {
		m := &list[i]
		if !pattern.MatchString(m.name) {
			continue
		}
		killed, err := m.try(dir)
		verdict := "killed  "
		switch {
		case err != nil:
			verdict = fmt.Sprintf("BROKEN: %v\n", err)
			survivors++
		case !killed:
			verdict = "SURVIVES"
			survivors++
		}
		fmt.Println(verdict, m.name)
	}
	return survivors, nil
}

// try reports whether the tests notice a mutant. It is an error if the mutant does not compile or no test ran.
func (m *mutant) try(dir string) (killed bool, err error) {
	source, err := m.apply(".")
	if err != nil {
		return false, err
	}
	file, err := filepath.Abs(m.file)
	if err != nil {
		return false, err
	}
	mutated, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		return false, err
	}
	for path, content := range map[string][]byte{mutated: source, overlay: replace} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return false, err
		}
	}
	arguments := []string{"test", "-overlay", overlay, "-short", "-failfast", "-timeout", "5m"}
	if m.pattern != "" {
		arguments = append(arguments, "-run", m.pattern)
	}
	out, err := exec.Command("go", append(arguments, "./"+m.tests)...).CombinedOutput()
	switch text := string(out); {
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"), strings.Contains(text, "no tests to run"):
		return false, fmt.Errorf("nothing was tested:\n%s", text)
	default:
		return err != nil, nil
	}
}
