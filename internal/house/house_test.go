package house

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "lower the ceilings to the present figures")

const ceilingsFile = "testdata/ceilings.txt"

// Each package has a ceiling for each figure, which may fall but never rise. Size figures (fields, methods, lines)
// may grow up to Limits; coupling figures (mutual, cycle, dense) may not. A new package starts with Limits. `make
// golden` lowers the ceilings to the current figures.
func TestFiguresOfNoPackageRise(t *testing.T) {
	ceilings, order := readCeilings(t)
	imports := compiled(t)
	lowered := map[string]Figures{}
	for _, dir := range packages(t) {
		name := filepath.ToSlash(strings.TrimPrefix(dir, root))
		got, err := Measure(imports, dir)
		if err != nil {
			t.Fatal(err)
		}
		limit, ok := ceilings[name]
		if !ok {
			limit, order = Limits, append(order, name)
		}
		lowered[name] = lower(got, limit)
		for i, figure := range got.List() {
			if most := *limit.List()[i]; *figure > most {
				t.Errorf("%s: %s = %d, at most %d before", name, Names[i], *figure, most)
			}
		}
	}
	if *update {
		writeCeilings(t, order, lowered)
	}
}

// lower returns the new ceilings for the measured figures and the previous ceilings.
func lower(measured, before Figures) Figures {
	for _, size := range []struct {
		of   *int
		most int
	}{{&measured.Fields, Limits.Fields}, {&measured.Methods, Limits.Methods}, {&measured.Lines, Limits.Lines}} {
		*size.of = max(*size.of, size.most)
	}
	for i, v := range measured.List() {
		*v = min(*v, *before.List()[i])
	}
	return measured
}

const root = "../../"

// packages returns the folders that have ceilings.
func packages(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, pattern := range []string{"internal/*", "cmd/gwyh", "cmd/gwyh/internal/*"} {
		found, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, found...)
	}
	return dirs
}

// compiled returns an importer that reads the export data that the go command has built for each module.
func compiled(t *testing.T) types.Importer {
	t.Helper()
	files := map[string]string{}
	for _, module := range []string{root, root + "cmd/gwyh"} {
		list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...")
		list.Dir = module
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list in %s: %v", module, err)
		}
		for line := range strings.Lines(string(out)) {
			path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
			files[path] = file
		}
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, errors.New("not built: " + path)
		}
		return os.Open(files[path])
	})
}

func readCeilings(t *testing.T) (ceilings map[string]Figures, order []string) {
	t.Helper()
	data, err := os.ReadFile(ceilingsFile)
	if err != nil {
		t.Fatal(err)
	}
	ceilings = map[string]Figures{}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var name string
		var f Figures
		if _, err := fmt.Sscan(line, &name, &f.Fields, &f.Methods, &f.Lines, &f.Mutual, &f.Cycle, &f.Dense); err != nil {
			t.Fatalf("%s: %q: %v", ceilingsFile, line, err)
		}
		ceilings[name] = f
		order = append(order, name)
	}
	return ceilings, order
}

func writeCeilings(t *testing.T, order []string, figures map[string]Figures) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %-20s %s\n", "package", strings.Join(Names, " "))
	for _, name := range order {
		f, ok := figures[name]
		if !ok {
			continue // the package was removed
		}
		fmt.Fprintf(&b, "%-22s %6d %7d %5d %6d %5d %5d\n", name, f.Fields, f.Methods, f.Lines, f.Mutual, f.Cycle, f.Dense)
	}
	if err := os.WriteFile(ceilingsFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMeasureCountsWhatItSays(t *testing.T) {
	got, err := Measure(compiled(t), "testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	want := Figures{Fields: 3, Methods: 2, Lines: 31, Mutual: 1, Cycle: 3, Dense: 1}
	if got != want {
		t.Errorf("figures of the sample %+v, want %+v", got, want)
	}
}
