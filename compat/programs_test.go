package compat

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The import lines of a program. They are all that differs between the libraries.
const (
	importOriginal = "\t\"github.com/hashicorp/memberlist\"\n"
	importGwyh     = "\tmemberlist \"github.com/gwyh-go/gwyh\"\n"
)

// build vets and builds the program in a directory with the library under test. It replaces the import line in each
// file that imports a library.
func build(t *testing.T, dir string) (binary string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	// The directory has to be inside the module, because its go.mod lists both libraries.
	temp, err := os.MkdirTemp("programs", "built-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source := withLibrary(t, read(t, path))
		if err := os.WriteFile(filepath.Join(temp, filepath.Base(path)), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary = filepath.Join(t.TempDir(), "program.exe")
	for _, args := range [][]string{{"vet"}, {"build", "-buildvcs=false", "-o", binary}} {
		args = append(args, "./"+filepath.ToSlash(temp))
		if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
			t.Fatalf("go %q: %v\n%s", args, err, out)
		}
	}
	return binary
}

// withLibrary returns the source of a file with the import of the library under test.
func withLibrary(t *testing.T, source string) string {
	t.Helper()
	lines := strings.Count(source, importOriginal) + strings.Count(source, importGwyh)
	if lines > 1 || lines == 0 && strings.Contains(source, "memberlist.") {
		t.Fatalf("%d imports of a library in one file", lines)
	}
	if onGwyh {
		return strings.Replace(source, importOriginal, importGwyh, 1)
	}
	return strings.Replace(source, importGwyh, importOriginal, 1)
}

// A process is a running program.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // lines of its standard output
}

func start(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), binary, args...), lines: make(chan string, 4096)}
	p.cmd.Stderr = &testWriter{t: t}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// testWriter logs the standard error of a process.
type testWriter struct{ t *testing.T }

func (w *testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

func (p *process) say(line string) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Error(err)
	}
}

// hear waits for a line that matches, and returns its first group.
func (p *process) hear(pattern string) string {
	p.t.Helper()
	r := regexp.MustCompile(pattern)
	limit := time.NewTimer(40 * time.Second)
	defer limit.Stop()
	for {
		select {
		case line, ok := <-p.lines:
			if m := r.FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
			if !ok {
				p.t.Fatalf("ended without %q", pattern)
			}
		case <-limit.C:
			p.t.Fatalf("no line like %q", pattern)
		}
	}
}

// ask writes a line repeatedly until an answer matches.
func (p *process) ask(line, pattern string) {
	p.t.Helper()
	r := regexp.MustCompile(pattern)
	word, _, _ := strings.Cut(line, " ")
	await(p.t, "answer to "+line, func() bool {
		p.say(line)
		return r.MatchString(p.hear("^(" + word + " .*)$"))
	})
}

// end closes the standard input, which makes the programs leave.
func (p *process) end() {
	p.t.Helper()
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Error(err)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// await waits, outside of a bubble, until holds returns true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !holds(); <-tick.C {
		if time.Since(begin) > 40*time.Second {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestProgramWithATransportOfItsOwnRuns(t *testing.T) {
	t.Parallel()
	binary := build(t, "programs/tcp")
	a := start(t, binary, "a")
	addr := a.hear("^listening at (.*)")
	b, d := start(t, binary, "b", addr), start(t, binary, "d", addr)
	all := []*process{a, b, d}
	for _, p := range all {
		p.ask("members", "members 3")
	}
	for _, size := range []int{10, 20000, 4 << 20, 7 << 20} {
		b.say(fmt.Sprint("send ", size))
		sum := b.hear("^sent " + strconv.Itoa(size) + " (.*)")
		for _, p := range []*process{a, d} {
			p.hear("^got " + strconv.Itoa(size) + " " + sum)
		}
	}
	for _, p := range all {
		p.end()
	}
}

func TestProgramWithThreeQueuesAndCoordinatesRuns(t *testing.T) {
	t.Parallel()
	binary := build(t, "programs/queues")
	a := start(t, binary, "a")
	addr := a.hear("^listening at (.*)")
	b, d := start(t, binary, "b", addr), start(t, binary, "d", addr)
	all := []*process{a, b, d}
	for _, p := range all {
		p.ask("members", "members 3")
	}
	for i, p := range all {
		for _, kind := range []string{"event", "query", "intent"} {
			p.say(fmt.Sprint(kind, " number ", i))
			for _, other := range all {
				if other != p {
					other.hear(fmt.Sprint("^", kind, " number ", i))
				}
			}
		}
	}
	for _, p := range all {
		p.ask("coordinates", "coordinates 2")
	}
	for _, p := range all {
		p.end()
	}
}

// kv is a node of examples/kv.
type kv struct {
	*process
	args         []string
	gossip, http string
}

func startKV(t *testing.T, binary string, args ...string) *kv {
	t.Helper()
	p := start(t, binary, args...)
	return &kv{process: p, args: args, gossip: p.hear("^gossip at (.*)"), http: p.hear("^http at (.*)")}
}

func (k *kv) put(key, value string) {
	k.t.Helper()
	r, err := http.NewRequestWithContext(k.t.Context(), http.MethodPut, "http://"+k.http+"/kv/"+key, strings.NewReader(value))
	if err != nil {
		k.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		k.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		k.t.Errorf("PUT %s: %s", key, answer.Status)
	}
}

func (k *kv) get(path string) string {
	k.t.Helper()
	r, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, "http://"+k.http+path, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, _ := io.ReadAll(answer.Body)
	return string(b)
}

// has waits until a key has a value.
func (k *kv) has(key, value string) {
	k.t.Helper()
	await(k.t, key+" = "+value, func() bool { return k.get("/kv/"+key) == value })
}

func TestKeyValueMapSurvivesKillAndRestartOfAnyNode(t *testing.T) {
	t.Parallel()
	binary := build(t, "../examples/kv")
	key := "0123456789abcdef"
	var nodes []*kv
	for i := range 3 {
		args := []string{"-name", fmt.Sprint("n", i), "-key", key}
		if i > 0 {
			args = append(args, "-join", nodes[0].gossip)
		}
		nodes = append(nodes, startKV(t, binary, args...))
	}
	for i, n := range nodes {
		n.put(fmt.Sprint("of/", i), fmt.Sprint("value ", i))
	}
	for _, n := range nodes {
		for i := range nodes {
			n.has(fmt.Sprint("of/", i), fmt.Sprint("value ", i))
		}
		await(t, "three members", func() bool { return strings.Count(n.get("/members"), ":") == 6 }) // name:host:port
	}
	for i := range nodes {
		others := []*kv{nodes[(i+1)%3], nodes[(i+2)%3]}
		nodes[i].kill()
		others[0].put("while-down", fmt.Sprint(i))
		others[1].has("while-down", fmt.Sprint(i))
		nodes[i] = startKV(t, binary, "-name", fmt.Sprint("n", i), "-key", key, "-bind", nodes[i].gossip,
			"-join", others[0].gossip+","+others[1].gossip)
		nodes[i].has("while-down", fmt.Sprint(i))
		nodes[i].has(fmt.Sprint("of/", i), fmt.Sprint("value ", i))
		nodes[i].put("back", fmt.Sprint(i))
		for _, n := range others {
			n.has("back", fmt.Sprint(i))
		}
	}
	for _, n := range nodes {
		if err := n.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := n.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}
