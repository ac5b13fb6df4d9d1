package house

import (
	"go/token"
	"go/types"
	"path/filepath"
)

// A graph maps each file to the other files that declare something that it uses.
type graph map[string]map[string]bool

// arrows returns the graph of a package. A name counts if it is declared at the package's top level, or is a method
// or a field.
func arrows(fset *token.FileSet, pkg *types.Package, info *types.Info) graph {
	uses := graph{}
	for ident, o := range info.Uses {
		if o.Pkg() != pkg || !shared(pkg, o) {
			continue
		}
		uses.add(fileOf(fset, ident), fileOf(fset, o))
	}
	return uses
}

func fileOf(fset *token.FileSet, at interface{ Pos() token.Pos }) string {
	return filepath.Base(fset.Position(at.Pos()).Filename)
}

// shared reports whether all files of the package can name an object.
func shared(pkg *types.Package, o types.Object) bool {
	switch o := o.(type) {
	case *types.Func:
		return true
	case *types.Var:
		return o.IsField() || o.Parent() == pkg.Scope()
	}
	return o.Parent() == pkg.Scope()
}

func (g graph) add(from, to string) {
	if from == to {
		return
	}
	for _, file := range []string{from, to} {
		if g[file] == nil {
			g[file] = map[string]bool{}
		}
	}
	g[from][to] = true
}

// mutual returns the number of pairs of files that use each other.
func (g graph) mutual() (pairs int) {
	for a, used := range g {
		for b := range used {
			if a < b && g[b][a] {
				pairs++
			}
		}
	}
	return pairs
}

// largestCycle returns the number of files in the largest strongly connected component, or 0 if no two files form a
// cycle. The graphs are small, so it walks the reach of each file.
func (g graph) largestCycle() (largest int) {
	reach := map[string]map[string]bool{}
	for file := range g {
		reach[file] = map[string]bool{}
		g.walk(file, reach[file])
	}
	for a := range g {
		size := 0
		for b := range reach[a] {
			if reach[b][a] {
				size++
			}
		}
		largest = max(largest, size)
	}
	return largest
}

// walk adds all files that can be reached from one file to seen.
func (g graph) walk(from string, seen map[string]bool) {
	for to := range g[from] {
		if !seen[to] {
			seen[to] = true
			g.walk(to, seen)
		}
	}
}
