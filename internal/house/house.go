// Package house measures the size and coupling of the files of a Go package, so that a test can keep the figures from
// rising. It never changes files, and only tests use it.
//
// Reading order: house.go has the figures and loads a package, arrows.go finds which file uses which.
package house

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
)

// Figures are the size and coupling of a package. Test files do not count.
type Figures struct {
	Fields, Methods int // of the struct type with the most fields and methods together
	Lines           int // of all files
	Mutual          int // pairs of files that use each other
	Cycle           int // files in the largest set of files that all use each other, directly or indirectly
	Dense           int // conditions that join four or more terms by && and ||
}

// Limits are the upper bounds for every package. Names are the names of the figures in order.
var (
	Limits = Figures{Fields: 30, Methods: 80, Lines: 2600, Mutual: 25, Cycle: 8, Dense: 10}
	Names  = []string{"fields", "methods", "lines", "mutual", "cycle", "dense"}
)

// List returns the figures in the order of Names.
func (f *Figures) List() []*int {
	return []*int{&f.Fields, &f.Methods, &f.Lines, &f.Mutual, &f.Cycle, &f.Dense}
}

// Measure returns the figures of the package in dir as it is built for this system.
func Measure(imports types.Importer, dir string) (Figures, error) {
	fset := token.NewFileSet()
	files, err := parse(fset, dir)
	if err != nil {
		return Figures{}, err
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: imports}).Check(dir, fset, files, info)
	if err != nil {
		return Figures{}, fmt.Errorf("check the types of %s: %w", dir, err)
	}
	var f Figures
	f.Fields, f.Methods = largestType(files)
	for _, file := range files {
		f.Lines += fset.Position(file.FileEnd).Line
		f.Dense += denseConditions(file)
	}
	uses := arrows(fset, pkg, info)
	f.Mutual, f.Cycle = uses.mutual(), uses.largestCycle()
	return f, nil
}

func parse(fset *token.FileSet, dir string) (files []*ast.File, err error) {
	pkg, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// largestType returns the size of the struct type that has the most fields and methods together.
func largestType(files []*ast.File) (fields, methods int) {
	of, on := map[string]int{}, map[string]int{}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv != nil {
					on[receiver(n.Recv.List[0].Type)]++
				}
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok {
					of[n.Name.Name] = s.Fields.NumFields()
				}
			}
			return true
		})
	}
	for name := range of {
		if of[name]+on[name] > fields+methods {
			fields, methods = of[name], on[name]
		}
	}
	return fields, methods
}

// receiver returns the name of a method's type, without pointer and type parameters.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// denseConditions returns the number of conditions of a file with three or more operators && and ||.
func denseConditions(file *ast.File) (count int) {
	ast.Inspect(file, func(n ast.Node) bool {
		e, ok := n.(*ast.BinaryExpr)
		if !ok {
			return true
		}
		if operators(e) >= 3 {
			count++
		}
		return false
	})
	return count
}

// operators returns the number of && and || in an expression, without those in function literals.
func operators(e ast.Expr) int {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		n := operators(e.X) + operators(e.Y)
		if e.Op == token.LAND || e.Op == token.LOR {
			n++
		}
		return n
	case *ast.ParenExpr:
		return operators(e.X)
	case *ast.UnaryExpr:
		return operators(e.X)
	}
	return 0
}
