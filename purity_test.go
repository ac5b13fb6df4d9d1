package gwyh_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gwyh-go/gwyh"

// purePackages contain the protocol. Time, randomness and datagrams are arguments in them (docs/DESIGN.md, "Pure
// packages"), so that a simulation can control all three. A package that does not exist has no files.
var purePackages = []string{"antientropy", "arena", "assembly", "beacon", "bridge", "broadcast", "delivery", "digest", "direct", "entries", "event", "exchange", "gossip", "handshake", "joining", "legacy", "liveness", "logbook", "members", "memory", "nodeid", "outbox", "outcome", "overlay", "pacing", "peer", "peers", "ping", "pmtu", "pushpull", "quota", "rangeset", "report", "seen", "selection", "session", "stats", "swim", "timer", "timestamp", "trace", "wire"}

// rootFiles are the Go files of the API without tests (docs/DESIGN.md, "Packages").
var rootFiles = []string{"broadcast_queue.go", "config.go", "delegate.go", "gwyh.go", "net.go", "security.go", "util.go", "zone.go"}

var (
	impureImports = []string{"net", "sync", "sync/atomic", "os", "context", "crypto/rand", "syscall", "unsafe"}
	clockNames    = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
)

func TestPurePackagesTouchNoSocketClockLockOrGoroutine(t *testing.T) {
	files := 0
	for _, p := range purePackages {
		for _, f := range parseFiles(t, filepath.Join("internal", p), isSource) {
			files++
			for _, fault := range impurities(f.ast) {
				t.Errorf("%s: %s", f.path, fault)
			}
		}
	}
	if files < 20 {
		t.Errorf("%d files looked at: the packages are not where this test looks for them", files)
	}
}

func TestPurityCheckFindsWhatItForbids(t *testing.T) {
	for source, want := range map[string]string{
		`import "net"`:                                              `imports "net"`,
		`import "net/http"`:                                         `imports "net/http"`,
		`import "os/signal"`:                                        `imports "os/signal"`,
		`import a "sync/atomic"`:                                    `imports "sync/atomic"`,
		`import "crypto/rand"`:                                      `imports "crypto/rand"`,
		`import "` + module + `/internal/udp"`:                      `imports "` + module + `/internal/udp"`,
		`import . "time"`:                                           `imports "time" by a dot`,
		`import "time"; func f() { time.Now() }`:                    "uses time.Now",
		`import c "time"; var f = c.NewTimer`:                       "uses time.NewTimer",
		`import "math/rand/v2"; func f() int { return rand.Int() }`: "uses rand.Int",
		`func f() { go f() }`:                                       "starts a goroutine",
		`var c chan int`:                                            "has a channel",
		`func f() { select {} }`:                                    "selects",
		`import ("net/netip"; "time"; "math/rand/v2"); var t time.Time; var a netip.Addr; func f() { rand.New(nil) }`: "",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+source, 0)
		if err != nil {
			t.Fatal(source, err)
		}
		if got := strings.Join(impurities(f), "; "); got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

// impurities returns the parts of a file that a pure package must not have.
func impurities(f *ast.File) (faults []string) {
	names := map[string]string{} // local name of a package to its import path
	for _, i := range f.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		name := importName(i, path)
		names[name] = path
		switch {
		case impureImport(path):
			faults = append(faults, fmt.Sprintf("imports %q", path))
		case name == ".":
			faults = append(faults, fmt.Sprintf("imports %q by a dot", path))
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			faults = append(faults, "starts a goroutine")
		case *ast.ChanType:
			faults = append(faults, "has a channel")
		case *ast.SelectStmt:
			faults = append(faults, "selects")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && impureUse(names[x.Name], n.Sel.Name) {
				faults = append(faults, fmt.Sprintf("uses %s.%s", filepath.Base(strings.TrimSuffix(names[x.Name], "/v2")), n.Sel.Name))
			}
		}
		return true
	})
	return faults
}

// impureImport reports whether a pure package must not import path. Of this module it may import only pure packages.
func impureImport(path string) bool {
	if inner, ok := strings.CutPrefix(path, module); ok {
		return !slices.Contains(purePackages, strings.TrimPrefix(inner, "/internal/"))
	}
	return slices.Contains(impureImports, path) || strings.HasPrefix(path, "os/") ||
		strings.HasPrefix(path, "net/") && path != "net/netip"
}

// impureUse reports whether a name of a package reads the clock, or a source of randomness that is not an argument.
func impureUse(path, name string) bool {
	switch path {
	case "time":
		return slices.Contains(clockNames, name)
	case "math/rand", "math/rand/v2":
		return !strings.HasPrefix(name, "New") && name != "Rand" && name != "Source"
	}
	return false
}

func importName(i *ast.ImportSpec, path string) string {
	if i.Name != nil {
		return i.Name.Name
	}
	return filepath.Base(strings.TrimSuffix(path, "/v2"))
}

func TestInternalPackagesDoNotImportTheRoot(t *testing.T) {
	for _, f := range parseFiles(t, "internal", func(name string) bool { return strings.HasSuffix(name, ".go") }) {
		for _, i := range f.ast.Imports {
			if i.Path.Value == strconv.Quote(module) {
				t.Errorf("%s imports the root", f.path)
			}
		}
	}
}

func TestRootHoldsExactlyTheFilesOfTheDesign(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !e.IsDir() && isSource(e.Name()) {
			got = append(got, e.Name())
		}
	}
	if !slices.Equal(got, rootFiles) {
		t.Errorf("Go files of the root: %q, want %q", got, rootFiles)
	}
}

// rootModules lists all modules in a program that uses the library, including the library's own. Another module is a
// cost for every user: what only a program of this project needs belongs in a separate module.
var rootModules = []string{
	"github.com/armon/go-metrics", "github.com/gwyh-go/gwyh", "github.com/hashicorp/go-immutable-radix", "github.com/hashicorp/go-msgpack/v2",
	"github.com/hashicorp/go-sockaddr", "github.com/hashicorp/golang-lru", "github.com/hashicorp/golang-lru/v2", "golang.org/x/crypto", "golang.org/x/sys",
}

func TestRootPackageDependsOnTheseModulesOnly(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
	list.Env = append(os.Environ(), "GOWORK=off", "GOOS=linux", "GOFLAGS=")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	if modules = slices.Compact(modules); !slices.Equal(modules, rootModules) {
		t.Errorf("the root package depends on %q, want %q", modules, rootModules)
	}
}

func isSource(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

type parsedFile struct {
	path string
	ast  *ast.File
}

// parseFiles parses the files below dir with the wanted names. It returns none if the directory does not exist.
func parseFiles(t *testing.T, dir string, wanted func(name string) bool) (files []parsedFile) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) && path == dir {
			return nil
		}
		if err != nil || d.IsDir() || !wanted(d.Name()) {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		files = append(files, parsedFile{path, f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
