package gossip

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A transcript is a conversation of a few nodes in a form that a person can review: lines of input, then what the nodes
// sent, received and did, or their state. -update writes the files again. See testdata/transcripts/README.

// script runs the commands of one transcript.
type script struct {
	*cluster
	trace bytes.Buffer
}

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newScript(t).run(string(want))
			if flag.Lookup("update").Value.String() == "true" { // the flag of TestGoldenTraces
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("it went another way; see the difference by go test -run TestTranscripts -update and git diff. From there on:\n%s", firstDifference(string(want), got))
			}
		})
	}
}

// firstDifference returns the lines around the first difference.
func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	part := func(lines []string) string { return strings.Join(lines[min(i, len(lines)):min(i+5, len(lines))], "\n") }
	return fmt.Sprintf("line %d, want\n%s\ngot\n%s", i+1, part(a), part(b))
}

func newScript(t *testing.T) *script {
	s := &script{cluster: newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond)})}
	log := trace.NewLog(&s.trace, s.net.Now())
	s.tweak = func(_ int, cfg *Config) { cfg.Trace, cfg.Debug = log.Tracer(cfg.Name), true }
	return s
}

// run runs the commands of a file and returns the file as it should be. Lines that begin with # stay. Every other
// paragraph consists of commands, a line of dashes, and the results.
func (s *script) run(file string) string {
	var out strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(file), "\n\n") {
		input, _, _ := strings.Cut(paragraph, "\n----")
		s.trace.Reset()
		state := ""
		commands := false
		for line := range strings.SplitSeq(input, "\n") {
			if !strings.HasPrefix(line, "#") {
				commands = true
				state += s.command(strings.Fields(line))
			}
		}
		out.WriteString(input + "\n")
		if commands {
			out.WriteString("----\n" + s.events() + state)
		}
		out.WriteString("\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// command runs one command, and returns the state if the command shows it.
func (s *script) command(words []string) string {
	s.t.Helper()
	number := func(i int) (n int) {
		if _, err := fmt.Sscan(words[i], &n); err != nil {
			s.t.Fatalf("%q: %v", words, err)
		}
		return n
	}
	switch words[0] {
	case "nodes":
		s.add(number(1))
	case "join":
		s.join(number(1), number(2))
	case "broadcast":
		s.do(number(1), func(now time.Time) {
			if err := s.nodes[number(1)].Broadcast(now, make([]byte, number(2))); err != nil {
				s.t.Error(err)
			}
		})
	case "leave":
		s.do(number(1), s.nodes[number(1)].Leave)
	case "crash":
		s.net.Crash(s.nodes[number(1)].addr)
	case "loss": // in percent
		s.net.Adjust(func(l *simnet.Link) { l.Loss = float64(number(1)) / 100 })
	case "run":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.net.RunFor(d)
	case "quiet": // run without events
		s.command(append([]string{"run"}, words[1:]...))
		s.trace.Reset()
	case "state":
		return s.state()
	default:
		s.t.Fatalf("no command %q", words)
	}
	return ""
}

// state returns a line for each node.
func (s *script) state() string {
	var b strings.Builder
	for _, n := range s.nodes {
		if !s.net.Up(n.addr) {
			fmt.Fprintf(&b, "%s: crashed\n", n.cfg.Name)
			continue
		}
		var states, links []string
		for m := range n.members.All {
			if m.State == wire.StateAlive {
				states = append(states, m.Name)
			} else {
				states = append(states, m.Name+" ("+m.State.String()+")")
			}
		}
		for _, p := range n.links {
			links = append(links, n.report.Name(p.ID))
		}
		slices.Sort(states)
		slices.Sort(links)
		fmt.Fprintf(&b, "%s: members %s; links %s\n", n.cfg.Name, strings.Join(states, ", "), strings.Join(links, ", "))
	}
	return b.String()
}

// events returns a line for each event since the last call, except for received datagrams, which the sender's line implies.
func (s *script) events() string {
	var b strings.Builder
	for _, line := range bytes.Split(bytes.TrimSpace(s.trace.Bytes()), []byte("\n")) {
		var e struct {
			T    json.Number
			Node string
			trace.Event
		}
		if len(line) == 0 {
			continue
		}
		if err := json.Unmarshal(line, &e); err != nil {
			s.t.Fatal(err)
		}
		if e.Kind == trace.Packet && e.What == "received" {
			continue
		}
		fmt.Fprintf(&b, "%s %s %s", e.T, e.Node, s.text(&e.Event))
		b.WriteString("\n")
	}
	return b.String()
}

// text returns an event in words.
func (s *script) text(e *trace.Event) string {
	for _, n := range s.nodes { // addresses are harder to read
		if e.Peer == n.addr.String() {
			e.Peer = n.cfg.Name
		}
	}
	size := ""
	if e.Bytes > 0 {
		size = fmt.Sprintf(", %d bytes", e.Bytes)
	}
	switch e.Kind {
	case trace.Packet:
		return fmt.Sprintf("-> %s%s", e.Peer, size)
	case trace.Message:
		if e.What == "delivered" {
			return "delivers a message" + size
		}
		return fmt.Sprintf("<- %s %s%s", e.Peer, e.Message, size)
	case trace.Choice:
		return "chooses " + strings.Join(e.Peers, ", ")
	case trace.Text:
		return "logs " + e.Text
	case trace.Node:
		return strings.TrimSpace(e.What + " " + e.Text)
	}
	by := ""
	if e.By != "" {
		by = " by " + e.By
	}
	return fmt.Sprintf("%s %s %s%s", e.Kind, e.Peer, e.What, by)
}
