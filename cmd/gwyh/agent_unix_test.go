//go:build !windows

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// build builds the program.
func build(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "gwyh")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// A process is a running agent.
type process struct {
	cmd  *exec.Cmd
	addr string // of its node
	http string // of its API

	mu    sync.Mutex
	text  bytes.Buffer
	found chan [2]string
}

// Write records the log of the process and reports once where it listens.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	if m := regexp.MustCompile(`(?s) node started .* addr=(\S+).* serving http=(\S+)`).FindStringSubmatch(p.text.String()); m != nil && p.found != nil {
		p.found <- [2]string{m[1], m[2]}
		p.found = nil
	}
	return len(b), nil
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// launch starts an agent and waits until it serves its API.
func launch(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	found := make(chan [2]string, 1)
	p := &process{found: found, cmd: exec.CommandContext(t.Context(), binary, append([]string{"agent", "-http", "127.0.0.1:0", "-profile", "local"}, args...)...)}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	select {
	case at := <-found:
		p.addr, p.http = at[0], at[1]
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not serve:\n%s", p.log())
	}
	return p
}

// ask runs a command for an agent.
func ask(t *testing.T, binary string, p *process, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	c := exec.CommandContext(t.Context(), binary, append(args, "-http", p.http)...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, errs.String())
	}
	return string(out)
}

// sees waits until an agent lists exactly these members.
func sees(t *testing.T, binary string, p *process, want ...string) {
	t.Helper()
	var got []string
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if !poll(ctx, 50*time.Millisecond, func() bool {
		var members []api.Member
		if err := json.Unmarshal([]byte(ask(t, binary, p, "members", "-json")), &members); err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, m := range members {
			got = append(got, m.Name)
		}
		return slices.Equal(got, want)
	}) {
		t.Fatalf("members %q, want %q\n%s", got, want, p.log())
	}
}

func TestThreeAgentsFormAClusterAndSurviveAKill(t *testing.T) {
	binary := build(t)
	ann := launch(t, binary, "-name", "ann", "-bind", "127.0.0.1:0")
	bob := launch(t, binary, "-name", "bob", "-bind", "127.0.0.1:0", "-join", ann.addr)
	seen := filepath.Join(t.TempDir(), "seen")
	cleo := launch(t, binary, "-name", "cleo", "-bind", "127.0.0.1:0", "-join", bob.addr, "-handler", "message:deploy=cat > "+seen+".new && mv "+seen+".new "+seen)
	for _, p := range []*process{ann, bob, cleo} {
		sees(t, binary, p, "ann", "bob", "cleo")
	}
	ask(t, binary, ann, "broadcast", "deploy", "v7")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if !poll(ctx, 10*time.Millisecond, func() bool {
		b, err := exec.CommandContext(ctx, "cat", seen).Output()
		return err == nil && string(b) == "v7"
	}) {
		t.Fatalf("the handler did not run:\n%s", cleo.log())
	}

	if err := bob.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*process{ann, cleo} {
		sees(t, binary, p, "ann", "cleo")
	}
	again := launch(t, binary, "-name", "bob", "-bind", bob.addr, "-join", cleo.addr)
	for _, p := range []*process{ann, again, cleo} {
		sees(t, binary, p, "ann", "bob", "cleo")
	}
}

func TestAgentThatIsTerminatedLeavesAndNotifiesTheServiceManager(t *testing.T) {
	binary := build(t)
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	told := func() string {
		b := make([]byte, 1024)
		_ = manager.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := manager.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	ann := launch(t, binary, "-name", "ann", "-bind", "127.0.0.1:0")
	t.Setenv("NOTIFY_SOCKET", socket)
	bob := launch(t, binary, "-name", "bob", "-bind", "127.0.0.1:0", "-join", ann.addr)
	if got := told(); !strings.HasPrefix(got, "READY=1\nSTATUS=") {
		t.Errorf("the manager is told %q", got)
	}
	sees(t, binary, ann, "ann", "bob")
	if err := bob.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := bob.cmd.Wait(); err != nil {
		t.Errorf("bob: %v\n%s", err, bob.log())
	}
	if got := told(); got != "STOPPING=1\n" {
		t.Errorf("the manager is told %q", got)
	}
	sees(t, binary, ann, "ann")
	if text := ask(t, binary, ann, "log"); !strings.Contains(text, `member "bob"`) || !strings.Contains(text, "left") {
		t.Errorf("no word of a departure:\n%s", text)
	}
	ask(t, binary, ann, "leave")
	if err := ann.cmd.Wait(); err != nil {
		t.Errorf("ann: %v\n%s", err, ann.log())
	}
}

func TestHangupChangesNothingAndIsLogged(t *testing.T) {
	binary := build(t)
	ann := launch(t, binary, "-name", "ann", "-bind", "127.0.0.1:0")
	if err := ann.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if !poll(ctx, 10*time.Millisecond, func() bool { return strings.Contains(ann.log(), "SIGHUP changes nothing") }) {
		t.Fatalf("no word of the signal:\n%s", ann.log())
	}
	ask(t, binary, ann, "leave")
	if err := ann.cmd.Wait(); err != nil {
		t.Errorf("ann: %v\n%s", err, ann.log())
	}
}
