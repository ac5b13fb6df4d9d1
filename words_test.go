package gwyh_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// A mdLine is a line of a Markdown document.
type mdLine struct {
	number int
	text   string
	code   bool // inside a code block
}

func (l mdLine) prose() bool { return !l.code && !strings.HasPrefix(strings.TrimSpace(l.text), "|") }

// mdLines returns the lines of a document without the fences of code blocks.
func mdLines(doc string) (lines []mdLine) {
	code := false
	for i, text := range strings.Split(doc, "\n") {
		if strings.HasPrefix(strings.TrimSpace(text), "```") {
			code = !code
			continue
		}
		lines = append(lines, mdLine{i + 1, text, code})
	}
	return lines
}

func TestProseOfDocumentsFitsIntoAHundredColumns(t *testing.T) {
	for _, d := range documents {
		for _, l := range mdLines(read(t, d)) {
			words := strings.Fields(l.text)
			if l.prose() && utf8.RuneCountInString(l.text) > 100 && len(words) > 2 {
				t.Errorf("%s:%d has %d columns", d, l.number, utf8.RuneCountInString(l.text))
			}
		}
	}
}

// banned are constructions that are hard to read, each with a replacement.
var banned = []struct{ expression, instead string }{
	{`\bbut for\b`, "except"},
	{`\bor else\b|,? else (it|they|the|a|we)\b`, "otherwise"},
	{`\bdear(er)?\b`, "expensive"},
	{`\b(a second|a minute|an hour|a datagram|a round trip) at most\b`, "at most ..."},
	{`\bHas (nothing|nobody|it|he)\b`, "If nothing has ..."},
	{`\bfor ever\b`, "forever"},
	{`\b(anew)\b`, "again"},
	{`\boneself\b`, "the node itself"},
	{`\bWho (is|has|does|hears|sends|wants|knows|leaves)\b`, "A node that ..."},
	{`\b(bury|buries|buried|forgive|forgives|absolve|absolves)\b`, "a word of the glossary"},
	{`\b(what|which) is full (drops|gives)\b`, "A full queue drops ..."},
	{`\btells of\b`, "reports"},
	{`\bshaken hands\b|\bshakes hands\b`, "completes a handshake"},
	{`\bwhat somebody should look at\b`, "what an operator should look at"},
}

func TestDocumentsAvoidConstructionsThatTakeTwoReadings(t *testing.T) {
	for _, b := range banned {
		expression := regexp.MustCompile(b.expression)
		for _, d := range documents {
			for _, l := range mdLines(read(t, d)) {
				if found := expression.FindString(l.text); !l.code && found != "" {
					t.Errorf("%s:%d: %q, write %s", d, l.number, found, b.instead)
				}
			}
		}
	}
}

// goBlocks returns the Go code blocks of a document.
func goBlocks(doc string) (blocks []string) {
	for _, b := range regexp.MustCompile("(?s)\n```go\n(.*?)\n```").FindAllStringSubmatch(doc, -1) {
		blocks = append(blocks, b[1])
	}
	return blocks
}

// parses reports whether code is a file, declarations or statements of Go.
func parses(code string) error {
	var first error
	for _, form := range []string{"%s", "package p\n%s", "package p\nfunc _() (err error) {\n%s\nreturn\n}"} {
		_, err := parser.ParseFile(token.NewFileSet(), "", fmt.Sprintf(form, code), parser.SkipObjectResolution)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	// An import may stand before statements.
	imports, statements, ok := strings.Cut(code, "\n\n")
	if ok && strings.HasPrefix(imports, "import") && parses(imports) == nil {
		return parses(statements)
	}
	return first
}

func TestGoBlocksOfDocumentsParse(t *testing.T) {
	found := 0
	for _, d := range documents {
		for _, code := range goBlocks(read(t, d)) {
			found++
			if err := parses(code); err != nil {
				t.Errorf("%s: %v\n%s", d, err, code)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d code blocks found", found)
	}
}

// A documented is an exported declaration and its doc comment.
type documented struct{ name, doc string }

// exported returns the exported types, functions and methods of the package in dir.
func exported(t *testing.T, dir string) (all []documented) {
	t.Helper()
	files := token.NewFileSet()
	var sources []*ast.File
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, f)
	}
	p, err := doc.NewFromFiles(files, sources, "p")
	if err != nil {
		t.Fatal(err)
	}
	functions := func(funcs []*doc.Func) {
		for _, f := range funcs {
			all = append(all, documented{f.Name, f.Doc})
		}
	}
	functions(p.Funcs)
	for _, typ := range p.Types {
		all = append(all, documented{typ.Name, typ.Doc})
		functions(typ.Funcs)
		functions(typ.Methods)
	}
	return all
}

func TestEveryExportedNameHasADocThatBeginsWithIt(t *testing.T) {
	begins := regexp.MustCompile(`^(?:An? |The )?(\w+)`)
	found := 0
	for _, d := range exported(t, ".") {
		found++
		if m := begins.FindStringSubmatch(d.doc); m == nil || m[1] != d.name {
			t.Errorf("%s: its doc begins %.30q", d.name, d.doc)
		}
	}
	if found < 100 {
		t.Errorf("%d exported names found", found)
	}
}
