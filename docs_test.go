package gwyh_test

import (
	"bufio"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var documents = []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/PROTOCOL.md", "docs/DESIGN.md", "docs/SECURITY.md", "docs/PERFORMANCE.md", "docs/MIGRATING.md", "docs/METRICS.md", "docs/LEGACY.md", "docs/AGENT.md", "docs/DECISIONS.md", "docs/LIMITS.md", "docs/QUICKSTART.md", "docs/OPERATIONS.md", "docs/TROUBLESHOOTING.md", "docs/MEMBERLIST-ISSUES.md", "deploy/README.md", "interop/python/README.md"}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sources returns the files whose names end in suffix.
func sources(t *testing.T, suffix string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark|Example)[A-Z0-9]\w*`)

// testFunction finds the functions that go test runs: helpers with such names do not count.
var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+|Example\w*)\((?:\w+ \*testing\.[TFB])?\)`)

func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	exists := map[string]bool{}
	for _, path := range sources(t, "_test.go") {
		for _, f := range testFunction.FindAllStringSubmatch(read(t, path), -1) {
			exists[f[1]] = true
		}
	}
	for _, d := range documents {
		for _, name := range testName.FindAllString(read(t, d), -1) {
			if !exists[name] {
				t.Errorf("%s names %s, which is no test", d, name)
			}
		}
	}
}

func TestEveryClaimOfSecurityHasATest(t *testing.T) {
	claims := 0
	inTable := false
	for line := range strings.Lines(read(t, "docs/SECURITY.md")) {
		switch cells := strings.Split(line, "|"); {
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case strings.HasPrefix(line, "| claim"):
			inTable = true
		case inTable && !strings.HasPrefix(line, "|---"):
			claims++
			if len(cells) != 5 || !testName.MatchString(cells[3]) {
				t.Errorf("no test for the claim: %s", line)
			}
		}
	}
	if claims < 45 {
		t.Errorf("%d claims found", claims)
	}
}

func TestEveryInterfaceOfTheApplicationHasAnExample(t *testing.T) {
	examples := read(t, "example_delegates_test.go")
	found := regexp.MustCompile(`(?m)^type (\w*Delegate|Transport) interface`).FindAllStringSubmatch(read(t, "delegate.go")+read(t, "net.go"), -1)
	if len(found) < 8 {
		t.Errorf("%d interfaces found", len(found))
	}
	for _, name := range found {
		if !strings.Contains(examples, "\nfunc Example"+name[1]+"() {\n") {
			t.Errorf("%s has no example", name[1])
		}
	}
}

func TestEveryProblemOfMemberlistNamesATest(t *testing.T) {
	number := 0
	for line := range strings.Lines(read(t, "docs/MEMBERLIST-ISSUES.md")) {
		cells := strings.Split(line, " | ")
		if !regexp.MustCompile(`^\| \d`).MatchString(line) {
			continue
		}
		number++
		if len(cells) != 5 || strings.TrimPrefix(cells[0], "| ") != fmt.Sprint(number) {
			t.Errorf("problem %d is not a row of five cells: %s", number, line)
			continue
		}
		if !regexp.MustCompile(`#\d+`).MatchString(cells[2]) {
			t.Errorf("problem %d names no public issue", number)
		}
		if !testName.MatchString(cells[4]) {
			t.Errorf("problem %d names no test", number)
		}
	}
	if number != 25 {
		t.Errorf("%d problems, want 25", number)
	}
}

// headings returns the headings of a document in lower case.
func headings(doc string) (all []string) {
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(doc, -1) {
		all = append(all, strings.ToLower(h[1]))
	}
	return all
}

// anchor returns the name that GitHub gives to a heading: only letters, digits, hyphens and underscores, with a hyphen
// for each space.
func anchor(heading string) string {
	dropped := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	return strings.ReplaceAll(dropped.ReplaceAllString(heading, ""), " ", "-")
}

func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	for _, d := range documents {
		doc := read(t, d)
		for _, l := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(doc, -1) {
			path, name, _ := strings.Cut(l[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := d
			if path != "" {
				target = filepath.Join(filepath.Dir(d), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", d, err)
				continue
			}
			if name != "" && !slices.ContainsFunc(headings(read(t, target)), func(h string) bool { return anchor(h) == name }) {
				t.Errorf("%s: no heading for #%s in %s", d, name, target)
			}
		}
	}
}

func TestHeadingsThatTheCodeCitesExist(t *testing.T) {
	cited := regexp.MustCompile(`(PROTOCOL|DESIGN)\.md[ 0-9,]{0,4}"([^"\n]+)"`)
	found := 0
	for _, path := range sources(t, ".go") {
		if path == "docs_test.go" {
			continue
		}
		for _, c := range cited.FindAllStringSubmatch(read(t, path), -1) {
			found++
			if !slices.Contains(headings(read(t, "docs/"+c[1]+".md")), strings.ToLower(c[2])) {
				t.Errorf("%s cites %q of %s.md, which has no such heading", path, c[2], c[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("%d citations found", found)
	}
}

// rulesOf returns the numbers of the rules of a PROTOCOL.md, in their order.
func rulesOf(protocol string) (rules []string) {
	for _, r := range regexp.MustCompile(`(?m)^\*\*([A-Z]\d+)\.\*\*`).FindAllStringSubmatch(protocol, -1) {
		rules = append(rules, r[1])
	}
	return rules
}

func TestRulesAreNumberedInReadingOrder(t *testing.T) {
	last := map[string]int{}
	for _, r := range rulesOf(read(t, "docs/PROTOCOL.md")) {
		if last[r[:1]]++; r != fmt.Sprint(r[:1], last[r[:1]]) {
			t.Errorf("rule %s is number %d of its letter", r, last[r[:1]])
		}
	}
}

func TestRulesThatDocumentsCiteExist(t *testing.T) {
	rules := rulesOf(read(t, "docs/PROTOCOL.md"))
	for _, d := range documents {
		for _, r := range regexp.MustCompile(`\b[WCLNXHESRKPGMYDFATUVBJQZOI]\d{1,2}\b`).FindAllString(read(t, d), -1) {
			if !slices.Contains(rules, r) {
				t.Errorf("%s cites rule %s, which is none", d, r)
			}
		}
	}
}

// citedRules returns the rules that comments cite: one or more numbers after the name of the document.
func citedRules(source string) (rules []string) {
	text := regexp.MustCompile(`\n\s*//`).ReplaceAllString(source, "") // a citation may be wrapped
	for _, c := range regexp.MustCompile(`PROTOCOL\.md ([A-Z]\d+(?:(?:,| and| to) [A-Z]\d+)*)`).FindAllStringSubmatch(text, -1) {
		rules = append(rules, regexp.MustCompile(`[A-Z]\d+`).FindAllString(c[1], -1)...)
	}
	return rules
}

func TestCitationsAreFound(t *testing.T) {
	const name = "PROTOCOL" + ".md" // in two parts, because this file is read too
	source := "// One (" + name + " A1).\n\t// Two, docs/" + name + "\n\t// B2, B3 and B4.\n// " + name + ", \"Links\", C5.\n"
	if got := citedRules(source); !slices.Equal(got, []string{"A1", "B2", "B3", "B4"}) {
		t.Errorf("found %v", got)
	}
}

func TestEveryRuleOfTheProtocolIsCitedByCodeAndByATest(t *testing.T) {
	rules := rulesOf(read(t, "docs/PROTOCOL.md"))
	if len(rules) < 150 {
		t.Fatalf("%d rules found", len(rules))
	}
	code, tests := map[string]bool{}, map[string]bool{}
	for _, path := range sources(t, ".go") {
		for _, r := range citedRules(read(t, path)) {
			if !slices.Contains(rules, r) {
				t.Errorf("%s cites rule %s, which is none", path, r)
			}
			if strings.HasSuffix(path, "_test.go") {
				tests[r] = true
			} else {
				code[r] = true
			}
		}
	}
	for _, r := range rules {
		if !code[r] {
			t.Errorf("no code cites rule %s", r)
		}
		if !tests[r] {
			t.Errorf("no test cites rule %s", r)
		}
	}
}

func TestRulesThatTheNodeInPythonCitesExist(t *testing.T) {
	rules := rulesOf(read(t, "docs/PROTOCOL.md"))
	comments, found := regexp.MustCompile(`(?s)"""(.*?)"""|#([^\n]*)`), 0
	for _, path := range sources(t, ".py") {
		if filepath.Dir(path) != filepath.Join("interop", "python") {
			continue
		}
		for _, c := range comments.FindAllString(read(t, path), -1) {
			for _, r := range regexp.MustCompile(`\b[A-Z]\d{1,2}\b`).FindAllString(c, -1) {
				if found++; !slices.Contains(rules, r) {
					t.Errorf("%s cites rule %s, which is none", path, r)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d citations found", found)
	}
}

func TestProtocolNamesEveryBody(t *testing.T) {
	protocol := read(t, "docs/PROTOCOL.md")
	names := regexp.MustCompile(`\tKind\w+: +"([A-Z]\w+)"`).FindAllStringSubmatch(read(t, "internal/wire/message.go"), -1)
	if len(names) < 15 {
		t.Fatalf("%d bodies found", len(names))
	}
	for _, n := range names {
		if !regexp.MustCompile(`\b` + n[1] + `\b`).MatchString(protocol) {
			t.Errorf("PROTOCOL.md does not name %s", n[1])
		}
	}
}

// go test takes everything after an unknown flag as arguments of the test.
func TestCommandsOfDocumentsNameThePackageBeforeFull(t *testing.T) {
	for _, d := range documents {
		for _, command := range regexp.MustCompile(`go test [^\n`+"`"+`]* -full[^\n`+"`"+`]*`).FindAllString(read(t, d), -1) {
			if before, _, _ := strings.Cut(command, " -full"); !regexp.MustCompile(` \.(/\S+)?( |$)`).MatchString(before) {
				t.Errorf("%s: %q runs nothing of a package", d, command)
			}
		}
	}
}

func TestCIRunsTheCommandsOfTheReadme(t *testing.T) {
	readme, ci := read(t, "README.md"), read(t, ".ci/run")
	for _, command := range []string{"go run ./cmd/gwyh demo", "go test ./..."} {
		if !strings.Contains(readme, "\n```\n"+command+"\n```\n") {
			t.Errorf("README.md has no block with %q", command)
		}
		if !strings.Contains(ci, "\nrun "+command+"\n") {
			t.Errorf(".ci/run does not run %q", command)
		}
	}
	if !strings.HasSuffix(ci, "\nrun go test ./...\n") {
		t.Error(".ci/run does not end with the test command")
	}
}

func TestCIChecksEveryModule(t *testing.T) {
	ci := read(t, ".ci/run")
	_, list, found := strings.Cut(ci, "\nmodules=(")
	list, _, closed := strings.Cut(list, ")")
	if !found || !closed {
		t.Fatal(".ci/run has no list of modules")
	}
	for _, path := range sources(t, "go.mod") {
		dir := filepath.ToSlash(filepath.Dir(path))
		own := dir == "." || strings.Contains(ci, "\n\tcd "+dir+"\n") // the library, bench and compat
		if !own && !slices.Contains(strings.Fields(list), dir) {
			t.Errorf(".ci/run does not check the module in %s", dir)
		}
	}
}

// program returns the program in the README.
func program(t *testing.T) string {
	t.Helper()
	_, after, ok := strings.Cut(read(t, "README.md"), "\n```go\n")
	source, _, closed := strings.Cut(after, "\n```\n")
	if !ok || !closed {
		t.Fatal("README.md has no Go program")
	}
	return source + "\n"
}

func TestProgramOfTheReadmeIsFormatted(t *testing.T) {
	source := program(t)
	formatted, err := format.Source([]byte(source))
	if err != nil || string(formatted) != source {
		t.Errorf("gofmt says %v, and makes of it\n%s", err, formatted)
	}
}

func TestProgramOfTheReadmeWorks(t *testing.T) {
	dir := t.TempDir()
	file, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program.exe")
	if err := os.WriteFile(file, []byte(program(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ann := startProgram(t, binary, "ann")
	bob := startProgram(t, binary, "bob", ann.address)
	bob.say("gossip with your homies")
	if got := ann.hear(); got != "gossip with your homies" {
		t.Errorf("ann heard %q", got)
	}
	bob.end()
	ann.end()
}

// process is a running process of the README's program.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	address string // the address at which it says that it listens
}

func startProgram(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), binary, args...)}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := p.hear()
	if _, err := fmt.Sscanf(first, "listening at %s", &p.address); err != nil {
		t.Fatalf("%q: %v", first, err)
	}
	return p
}

func (p *process) say(line string) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Error(err)
	}
}

func (p *process) hear() string {
	p.out.Scan()
	return p.out.Text()
}

// end closes the standard input, which makes the program leave.
func (p *process) end() {
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Error(err)
	}
}
