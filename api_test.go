package gwyh_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestAPIHasMemberlistsSymbolsWithTheirTypes compares each symbol of the lists with this package.
func TestAPIHasMemberlistsSymbolsWithTheirTypes(t *testing.T) {
	have := apiTypes(t)
	for list, want := range map[string]int{"testdata/memberlist-v0.6.txt": 227, "testdata/grafana-fork.txt": 16} {
		symbols := 0
		for line := range strings.Lines(read(t, list)) {
			symbol, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			if !ok {
				continue
			}
			symbols++
			if got := have[symbol]; got != want {
				t.Errorf("%s is %q, want %q", symbol, got, want)
			}
		}
		if symbols != want {
			t.Errorf("%d symbols in %s, want %d", symbols, list, want)
		}
	}
}

func TestAPICheckFindsAnotherType(t *testing.T) {
	have := apiTypes(t)
	for symbol, want := range map[string]string{
		"const MetaMaxSize":                "untyped int = 512",
		"const ProtocolVersionMin":         "uint8 = 1",
		"field Config.MetricLabels":        "[]metrics.Label",
		"field ChannelEventDelegate.Ch":    "chan<- NodeEvent",
		"func Create":                      "func(*Config) (*Memberlist, error)",
		"method NamedBroadcast.Finished":   "func()",
		"method Memberlist.SendBestEffort": "func(*Node, []byte) error",
		"type NodeStateType":               "int",
		"type Transport":                   "interface",
	} {
		if have[symbol] != want {
			t.Errorf("%s is %q, want %q", symbol, have[symbol], want)
		}
	}
}

// apiTypes returns the exported symbols of the root package with their types, both written as in
// testdata/memberlist-v0.6.txt.
func apiTypes(t *testing.T) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range rootFiles {
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	exports := compiledImports(t)
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	pkg, err := conf.Check(module, fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := typedAPI{pkg: pkg, types: map[string]string{}}
	for _, name := range pkg.Scope().Names() {
		if o := pkg.Scope().Lookup(name); o.Exported() {
			a.add(o)
		}
	}
	return a.types
}

// compiledImports returns the files with the compiled types of the root package's imports, by import path.
func compiledImports(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-buildvcs=false", "-deps", "-export", "-json=ImportPath,Export", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return exports
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
	}
}

type typedAPI struct {
	pkg   *types.Package
	types map[string]string // by symbol
}

func (a *typedAPI) add(o types.Object) {
	switch o := o.(type) {
	case *types.Const:
		a.types["const "+o.Name()] = a.text(o.Type()) + " = " + o.Val().ExactString()
	case *types.Func:
		a.types["func "+o.Name()] = a.text(o.Type())
	case *types.TypeName:
		a.addType(o)
	}
}

func (a *typedAPI) addType(o *types.TypeName) {
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		a.types["type "+o.Name()] = "struct"
		for f := range u.Fields() {
			if f.Exported() {
				a.types["field "+o.Name()+"."+f.Name()] = a.text(f.Type())
			}
		}
	case *types.Interface:
		a.types["type "+o.Name()] = "interface"
		for m := range u.Methods() {
			a.types["method "+o.Name()+"."+m.Name()] = a.text(m.Type())
		}
		return
	default:
		a.types["type "+o.Name()] = a.text(u)
	}
	for m := range types.NewMethodSet(types.NewPointer(o.Type())).Methods() {
		if m.Obj().Exported() && len(m.Index()) == 1 { // not promoted
			a.types["method "+o.Name()+"."+m.Obj().Name()] = a.text(m.Type())
		}
	}
}

// text returns a type with other packages by name, and a signature without parameter names.
func (a *typedAPI) text(t types.Type) string {
	if s, ok := t.(*types.Signature); ok {
		t = types.NewSignatureType(nil, nil, nil, unnamed(s.Params()), unnamed(s.Results()), s.Variadic())
	}
	return types.TypeString(t, func(p *types.Package) string {
		if p == a.pkg {
			return ""
		}
		return p.Name()
	})
}

func unnamed(vars *types.Tuple) *types.Tuple {
	var list []*types.Var
	for v := range vars.Variables() {
		list = append(list, types.NewParam(token.NoPos, nil, "", v.Type()))
	}
	return types.NewTuple(list...)
}
