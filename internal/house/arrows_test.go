package house

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gwyh-go/gwyh/"

// floors lists the packages of a node from the top down. A package imports only packages of lower floors
// (docs/DESIGN.md, "The house").
var floors = [][]string{
	{"node"},
	{"gossip"},
	{"bridge", "exchange", "liveness"},
	{"entries"},
	{"delivery"},
	{"report", "stats"},
	{"event"},
	{"antientropy", "beacon", "broadcast", "joining", "legacy", "overlay", "peers", "pushpull", "swim"},
	{"direct", "peer", "members"},
	{"assembly", "arena", "digest", "handshake", "logbook", "outbox", "pacing", "ping", "pmtu", "seen", "selection", "session", "trace"},
	{"nodeid"},
	{"memory", "outcome", "quota", "rangeset", "timer", "wire"},
	{"timestamp"},
}

// around are the packages of the shell, which depend on no component, and the helpers of tests and simulations.
var around = []string{"addrbook", "carrier", "dispatch", "gwyh01", "house", "inbox", "inspect", "intake", "memnet", "metrics", "mutants", "netns", "pair", "plot", "pull", "resolve", "sim",
	"simcheck", "simnet", "telemetry", "udp", "unreached"}

func TestArrowsGoDownOnly(t *testing.T) {
	for above, names := range floors {
		for _, name := range names {
			for _, imported := range imports(t, root+"internal/"+name) {
				if below := floorOf(imported); below >= 0 && below <= above {
					t.Errorf("internal/%s imports internal/%s, which is not below it", name, imported)
				}
			}
		}
	}
}

func TestPurePackagesDoNotImportTheShell(t *testing.T) {
	for _, names := range floors[1:] {
		for _, name := range names {
			for _, imported := range imports(t, root+"internal/"+name) {
				if slices.Contains(around, imported) {
					t.Errorf("internal/%s imports internal/%s", name, imported)
				}
			}
		}
	}
}

func TestEveryPackageHasAFloor(t *testing.T) {
	for _, dir := range packages(t) {
		name := filepath.Base(dir)
		if strings.HasPrefix(dir, root+"internal") && floorOf(name) < 0 && !slices.Contains(around, name) {
			t.Errorf("internal/%s stands nowhere", name)
		}
	}
}

// floorOf returns the floor of a package, or -1 if it has none.
func floorOf(name string) int {
	return slices.IndexFunc(floors, func(names []string) bool { return slices.Contains(names, name) })
}

// imports returns the packages below internal that the non-test files of a folder import. A folder that does not
// exist imports none.
func imports(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name, ok := strings.CutPrefix(path, module+"internal/"); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// design returns a part of docs/DESIGN.md: what stands between two texts.
func design(t *testing.T, from, to string) string {
	t.Helper()
	text, err := os.ReadFile(root + "docs/DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(text), from)
	part, _, end := strings.Cut(part, to)
	if !ok || !end {
		t.Fatalf("docs/DESIGN.md has nothing between %q and %q", from, to)
	}
	return part
}

func TestPictureInDesignShowsTheFloors(t *testing.T) {
	lines := map[string]int{}
	for i, line := range strings.Split(design(t, "## The house\n\n```\n", "```"), "\n") {
		names, _, _ := strings.Cut(strings.TrimLeft(line, " +-|"), "   ") // a description follows three spaces
		for _, name := range strings.Fields(names) {
			lines[strings.TrimPrefix(name, "internal/")] = i
		}
	}
	last := -1
	for _, names := range floors {
		lowest := last
		for _, name := range names {
			line, ok := lines[name]
			if !ok || line <= last {
				t.Errorf("the picture in docs/DESIGN.md does not show internal/%s below the floor above it", name)
			}
			lowest = max(lowest, line)
		}
		last = lowest
	}
}

func TestDesignListsEveryPackage(t *testing.T) {
	table := design(t, "## Packages\n", "\n### ")
	for _, pattern := range []string{"internal/*", "cmd/gwyh/internal/*"} {
		dirs, err := filepath.Glob(root + pattern)
		if err != nil || len(dirs) == 0 {
			t.Fatal(dirs, err)
		}
		for _, dir := range dirs {
			if name := strings.TrimPrefix(filepath.ToSlash(dir), root); !strings.Contains(table, "`"+name+"`") {
				t.Errorf("the table of packages in docs/DESIGN.md lacks %s", name)
			}
		}
	}
}

func TestFilesThatDesignNamesExist(t *testing.T) {
	text, err := os.ReadFile(root + "docs/DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("`((?:internal|cmd|examples|discover|compat|bench)/[\\w/.]*)`").FindAllSubmatch(text, -1)
	if len(found) < 80 {
		t.Errorf("%d names of files and folders found", len(found))
	}
	for _, m := range found {
		if _, err := os.Stat(root + string(m[1])); err != nil {
			t.Error(err)
		}
	}
}
