package report

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var start = time.Unix(1000, 0)

func id(n byte) wire.NodeID { return wire.NodeID{6: 0x80, 8: 0x80, 15: n} }

func addr(n byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 6969)
}

// world is a Reporter of node 1 and what it writes to. Node 2 is a member, and node 3 a peer that has introduced itself.
type world struct {
	*Reporter
	members members.Table
	events  event.Queue
	timers  timer.Heap
	traced  bytes.Buffer
}

func newWorld(debug, traces bool) *world {
	w := &world{members: members.NewTable(start, members.Config{Self: members.Member{ID: id(1), Name: "one", Addr: addr(1)}, MetaMax: 512})}
	two := members.NewEntry(id(2))
	two.Name, two.Addr = "two", addr(2)
	w.members.Add(two)
	cfg := Config{Members: &w.members, Events: &w.events, Timers: &w.timers, Debug: debug}
	if traces {
		cfg.Trace = trace.NewLog(&w.traced, start).Tracer("one")
	}
	w.Reporter = New(cfg)
	w.Introduced(id(3), "three")
	return w
}

// lines returns the written lines without their common prefix.
func (w *world) lines() (lines []string) {
	for _, e := range w.events.Take() {
		if e.Kind != event.Log {
			lines = append(lines, fmt.Sprintf("event %d", e.Kind))
			continue
		}
		level, text, _ := strings.Cut(e.Text, " gwyh: ")
		lines = append(lines, level+" "+text)
	}
	return lines
}

func (w *world) wants(t *testing.T, want ...string) {
	t.Helper()
	if got := w.lines(); !slices.Equal(got, want) {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func entry(n byte, name string) *members.Entry {
	return &members.Entry{Member: members.Member{ID: id(n), Name: name, Addr: addr(n)}}
}

func wireEntry(n byte, name string, named uint64) *wire.Member {
	return &wire.Member{ID: id(n), Name: []byte(name), Addr: addr(n), Named: named}
}

// in returns a copy of an entry in another state.
func in(m *members.Entry, s wire.State, accuser wire.NodeID) *members.Entry {
	m.State, m.From = s, &accuser
	return m
}

func TestLineOfEachEvent(t *testing.T) {
	four := entry(4, "four")
	inZone := entry(5, "five")
	inZone.Zone = wire.Zone{Name: "eu", Valid: true}
	failedAt := start.Add(-3 * time.Second)
	partition := &swim.Partition{Failed: 3, Members: 7, Back: 3, Restarted: 1, Began: start.Add(-time.Minute), Last: start.Add(-58 * time.Second)}
	restarted := &swim.Partition{Failed: 3, Members: 7, Back: 3, Restarted: 3, Began: start.Add(-time.Minute)}
	veto := errors.New("no\nthanks")
	for _, c := range []struct {
		name  string
		write func(r *Reporter)
		want  string
	}{
		{"joined", func(r *Reporter) { r.Arrival(start, &members.Change{Kind: members.Joined, Member: four}) }, `[INFO] member "four" (10.0.0.4:6969) joined`},
		{"joined in a zone", func(r *Reporter) { r.Arrival(start, &members.Change{Kind: members.Joined, Member: inZone}) },
			`[INFO] member "five" (10.0.0.5:6969) joined in zone "eu"`},
		{"restarted", func(r *Reporter) { r.Arrival(start, &members.Change{Member: four, Replaces: true}) }, `[INFO] member "four" (10.0.0.4:6969) was restarted`},
		{"restarted after a failure", func(r *Reporter) {
			r.Arrival(start, &members.Change{Kind: members.Joined, Member: four, Failed: four, FailedAt: failedAt, Restarted: true})
		}, `[INFO] member "four" (10.0.0.4:6969) is back: it was restarted after it failed 3s ago`},
		{"back", func(r *Reporter) {
			r.Arrival(start, &members.Change{Kind: members.Joined, Member: four, Failed: four, FailedAt: failedAt})
		}, `[INFO] member "four" (10.0.0.4:6969) is back: it had failed 3s ago`},
		{"updated", func(r *Reporter) { r.Arrival(start, &members.Change{Kind: members.Updated, Member: four}) }, ""},
		{"left", func(r *Reporter) {
			r.Removal(start, &members.Change{Member: in(entry(4, "four"), wire.StateLeft, wire.NodeID{})})
		}, `[INFO] member "four" (10.0.0.4:6969) left`},
		{"failed", func(r *Reporter) {
			r.Removal(start, &members.Change{Member: in(entry(4, "four"), wire.StateDead, wire.NodeID{})})
		}, `[INFO] member "four" (10.0.0.4:6969) failed`},
		{"failed, found by another", func(r *Reporter) {
			r.Removal(start, &members.Change{Member: in(entry(4, "four"), wire.StateDead, id(2))})
		}, `[INFO] member "four" (10.0.0.4:6969) failed, detected by "two"`},
		{"failed and silent", func(r *Reporter) {
			r.Removal(start, &members.Change{Member: in(entry(4, "four"), wire.StateDead, id(1)), Heard: failedAt})
		}, `[INFO] member "four" (10.0.0.4:6969) failed, detected by this node: its last packet arrived 3s ago`},
		{"failed and deaf", func(r *Reporter) {
			r.Removal(start, &members.Change{Member: in(entry(4, "four"), wire.StateDead, id(1)), Heard: start.Add(-time.Second / 4), DeafSince: failedAt})
		}, `[INFO] member "four" (10.0.0.4:6969) failed, detected by this node: its last packet arrived 250ms ago, ` +
			`and it has reported for 3s that it hears nothing of this node (check the firewall and NAT on the way there)`},
		{"leaving", func(r *Reporter) { r.Leaving(start) }, "[INFO] this node leaves"},
		{"returning", func(r *Reporter) { r.Returning(start) }, "[INFO] this node is a member again after it left"},
		{"conflict of others", func(r *Reporter) { r.Conflict(start, r.cfg.Members.Get(id(2)), wireEntry(6, "two", 9)) },
			`[WARN] two nodes have the name "two": the one at 10.0.0.2:6969 keeps it, the one at 10.0.0.6:6969 is not a member`},
		{"conflict that this node wins", func(r *Reporter) { r.Conflict(start, r.cfg.Members.Self(), wireEntry(6, "one", 1<<63)) },
			`[WARN] this node keeps the name "one", which it has had for longer: the node at 10.0.0.6:6969 is not a member`},
		{"conflict that this node loses", func(r *Reporter) { r.Conflict(start, r.cfg.Members.Self(), wireEntry(6, "one", 0)) },
			`[WARN] the node at 10.0.0.6:6969 has this node's name "one", and has had it for longer: nodes that know it do not have this node as a member. ` +
				`Give each node a name of its own`},
		{"reserved", func(r *Reporter) { r.Reserved(start, wireEntry(6, "four", 1), four) },
			`[WARN] the name "four" is kept for the node at 10.0.0.4:6969, which failed a short time ago: the node at 10.0.0.6:6969 has to wait`},
		{"refusal", func(r *Reporter) { r.Refusal(start, "address", wireEntry(6, "s\nx", 1), errors.New("not allowed")) },
			`[WARN] member "s\nx" at 10.0.0.6:6969 is not accepted: not allowed`},
		{"legacy limit", func(r *Reporter) { r.LegacyLimit(start, 30_000, 21_000) },
			`[WARN] a broadcast of 30000 bytes does not go to the 0 gwyh 0.1 members: they accept at most 21000 bytes`},
		{"legacy down", func(r *Reporter) { r.LegacyDown(start) }, `[WARN] gwyh 0.1 nodes consider this node down: beginning new handshakes with them`},
		{"alone", func(r *Reporter) { r.Detection(start, &swim.Action{Kind: swim.NobodyHeard, Age: 5 * time.Second}) },
			`[WARN] nothing has arrived from any other node for 5s: this node is cut off, or cannot receive, or is the only one left`},
		{"partition", func(r *Reporter) { r.Detection(start, &swim.Action{Kind: swim.FailedTogether, Partition: partition}) },
			`[INFO] 3 of 7 members failed within 2s: the network is partitioned, or they crashed together`},
		{"end of a partition", func(r *Reporter) { r.Detection(start, &swim.Action{Kind: swim.BackTogether, Partition: partition}) },
			`[INFO] 3 of 3 members that failed together are back, 1m0s after the first of them failed: the partition is over`},
		{"end of an outage", func(r *Reporter) { r.Detection(start, &swim.Action{Kind: swim.BackTogether, Partition: restarted}) },
			`[INFO] 3 of 3 members that failed together are back, 1m0s after the first of them failed: they were restarted`},
		{"accused", func(r *Reporter) { r.Accused(start, wire.StateDead) }, `[WARN] other nodes consider this node dead: sending a refutation`},
		{"heard again", func(r *Reporter) { r.HeardAgain(start, 4*time.Second) }, `[INFO] this node hears other nodes again, after 4s in which nothing came`},
		{"asleep", func(r *Reporter) { r.Asleep(start) }, `[WARN] this node did not run for a while: it begins new handshakes with its links`},
		{"rejected", func(r *Reporter) { r.Rejected(start, addr(9), wire.NodeID{}, handshake.Returned) },
			`[WARN] handshake with 10.0.0.9:6969 refused: ` + handshake.Returned.String()},
		{"false id", func(r *Reporter) { r.Rejected(start, addr(9), id(3), handshake.FalseID) },
			`[WARN] handshake with 10.0.0.9:6969 refused: id not proven: it shows that of "three" (does an attacker have the key?)`},
		{"not renewed", func(r *Reporter) { r.NotRenewed(start, id(3), 4) }, `[WARN] the session with "three" was not renewed in 4 tries: continuing with the old one`},
		{"path shrunk", func(r *Reporter) { r.PathShrunk(start, id(3), 8000, 1400) }, `[WARN] datagrams of 8000 bytes to "three" do not arrive: continuing with 1400`},
		{"path found", func(r *Reporter) { r.PathFound(start, id(9), 8000) }, `[INFO] datagrams of 8000 bytes reach ` + id(9).String()},
		{"own state", func(r *Reporter) { r.OwnStateTooLarge(start, 9, 8) }, `[WARN] LocalState returned 9 bytes, of which at most 8 can be sent: no other node gets it`},
		{"state", func(r *Reporter) { r.StateTooLarge(start, id(3), addr(3), 9, 8) },
			`[WARN] the state of "three" at 10.0.0.3:6969 has 9 bytes, of which at most 8 can be sent: it is not merged`},
		{"vetoed", func(r *Reporter) { r.Vetoed(start, id(3), addr(3), veto) }, `[WARN] not becoming one cluster with "three" at 10.0.0.3:6969: "no\nthanks"`},
		{"vetoed there", func(r *Reporter) { r.VetoedByPeer(start, id(3), addr(3), "x\n") }, `[WARN] "three" at 10.0.0.3:6969 refuses this node: "x\n"`},
		{"kept out", func(r *Reporter) { r.KeptOut(start, &four.Member, veto) }, `[WARN] "four" at 10.0.0.4:6969 is kept out: "no\nthanks"`},
		{"payload", func(r *Reporter) { r.PayloadTooLarge(start, 9, 8) }, `[WARN] AckPayload of 9 bytes, of which at most 8 can be sent: not sent`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(false, false)
			c.write(w.Reporter)
			if c.want == "" {
				w.wants(t)
			} else {
				w.wants(t, c.want)
			}
		})
	}
}

// debugLines contains the lines at DEBUG.
var debugLines = []struct {
	name  string
	write func(r *Reporter)
	want  string
}{
	{"dial", func(r *Reporter) { r.Dial(start, addr(9), wire.NodeID{}) }, "beginning a handshake with 10.0.0.9:6969"},
	{"established by this node", func(r *Reporter) { r.Established(start, id(3), addr(3), true) }, `completed a handshake with "three" at 10.0.0.3:6969, begun by this node`},
	{"established by another", func(r *Reporter) { r.Established(start, id(3), addr(3), false) }, `completed a handshake with "three" at 10.0.0.3:6969, begun by the other node`},
	{"attempt failed", func(r *Reporter) { r.AttemptFailed(start, addr(9), errors.New("late")) }, "the handshake with 10.0.0.9:6969 failed: late"},
	{"link up", func(r *Reporter) { r.LinkUp(start, id(2)) }, `the link with "two" began`},
	{"link down", func(r *Reporter) { r.LinkDown(start, id(2)) }, `the link with "two" ended`},
	{"avoided", func(r *Reporter) { r.Avoided(start, entry(4, "four"), time.Minute) },
		`member "four" (10.0.0.4:6969) refused a link: no further request to it for about 1m0s`},
	{"choice", func(r *Reporter) { r.Choice(start, []wire.NodeID{id(2)}) }, `chose 1 of 1 other members to subscribe to: ["two"]`},
	{"refutation", func(r *Reporter) { r.Refutation(start, entry(4, "four")) }, `member "four" (10.0.0.4:6969) is alive: it refuted the suspicion`},
	{"suspected", detected(swim.Action{Kind: swim.Suspected, By: id(2)}), `"two" suspects that member "four" (10.0.0.4:6969) has failed`},
	{"probe", detected(swim.Action{Kind: swim.ProbeStarted}), `probing member "four" (10.0.0.4:6969), which is silent or does not hear this node`},
	{"helpers", detected(swim.Action{Kind: swim.HelpersAsked, Count: 3}), `asked 3 other nodes to probe member "four" (10.0.0.4:6969) too`},
	{"answered", detected(swim.Action{Kind: swim.ProbeAnswered}), `member "four" (10.0.0.4:6969) answered the probe`},
	{"vouched", detected(swim.Action{Kind: swim.ProbeVouched}), `member "four" (10.0.0.4:6969) answered another node that probed it`},
	{"unanswered", detected(swim.Action{Kind: swim.ProbeFailed}), `member "four" (10.0.0.4:6969) did not answer the probe`},
}

// detected returns a function that reports an action of the failure detector about a member.
func detected(a swim.Action) func(r *Reporter) {
	a.Member = entry(4, "four")
	return func(r *Reporter) { r.Detection(start, &a) }
}

func TestLinesAtDebugAreWrittenOnlyIfWanted(t *testing.T) {
	for _, c := range debugLines {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(false, false)
			c.write(w.Reporter)
			w.wants(t)
			w.SetDebug(true)
			c.write(w.Reporter)
			w.wants(t, "[DEBUG] "+c.want)
		})
	}
}

func TestHandshakesWithMembersAreNotLogged(t *testing.T) {
	w := newWorld(true, false)
	w.Dial(start, addr(2), id(2))
	w.Established(start, id(2), addr(2), true)
	w.wants(t)
}

func TestNodeIsCalledByTheNameThatIsKnown(t *testing.T) {
	w := newWorld(false, false)
	w.Introduced(id(2), "another")
	w.Introduced(id(3), "")
	for _, c := range []struct {
		node      byte
		name, who string
	}{
		{1, "one", "this node"},
		{2, "two", `"two"`},     // as a member, regardless of how it introduced itself
		{3, "three", `"three"`}, // an empty name does not replace an earlier one
		{4, "", id(4).String()},
	} {
		if got := w.Name(id(c.node)); got != c.name {
			t.Errorf("name of node %d: %q, want %q", c.node, got, c.name)
		}
		if got := w.Who(id(c.node)); got != c.who {
			t.Errorf("node %d is called %s, want %s", c.node, got, c.who)
		}
	}
	if w.Forget(id(3)); w.Name(id(3)) != "" {
		t.Errorf("a peer that is forgotten has the name %q", w.Name(id(3)))
	}
}

func TestLinesLeftOutAreCountedWhenTheIntervalIsOver(t *testing.T) {
	w := newWorld(false, false)
	for range 1000 {
		w.Leaving(start)
	}
	written := len(w.lines())
	if next, want := w.timers.Next(), start.Add(logbook.Interval); !next.Equal(want) {
		t.Fatalf("the count is due at %v, want %v", next, want)
	}
	w.timers.Run(start.Add(logbook.Interval))
	w.wants(t, fmt.Sprintf("[INFO] and %d more members left", 1000-written))
}

func TestRefusedHandshakesOfOneReasonAreOneLine(t *testing.T) {
	w := newWorld(false, false)
	for n := range byte(100) {
		w.Rejected(start, addr(n), wire.NodeID{}, handshake.Returned)
	}
	if got := w.lines(); len(got) != 1 {
		t.Errorf("%d lines", len(got))
	}
	allocs := testing.AllocsPerRun(100, func() { w.Rejected(start, addr(9), wire.NodeID{}, handshake.Returned) })
	if allocs != 0 {
		t.Errorf("a refusal that is left out costs %v allocations", allocs)
	}
}

// traces writes every event that a trace can contain.
func traces(r *Reporter) {
	r.Enter(start)
	path := wire.Path{Remote: addr(2)}
	r.Received(start, path, make([]byte, 10))
	r.Sent(start, &outbox.Run{To: path, Bytes: make([]byte, 20), Count: 2})
	r.Message(start, id(2), &wire.Message{Kind: wire.KindPing})
	r.LinkUp(start, id(2))
	r.LinkDown(start, id(2))
	r.Choice(start, []wire.NodeID{id(2), id(9)})
	r.Detection(start, &swim.Action{Kind: swim.Suspected, Member: r.cfg.Members.Get(id(2)), By: id(3)})
	r.Refutation(start, r.cfg.Members.Get(id(2)))
	two := r.cfg.Members.Get(id(2)).Member
	dead := two
	dead.State = wire.StateDead
	r.Events([]event.Event{{Kind: event.Join, Member: two}, {Kind: event.Update, Member: two}, {Kind: event.Conflict, Member: two}, {Kind: event.Leave, Member: dead},
		{Kind: event.Message, Data: make([]byte, 5)}, {Kind: event.Joined}, {Kind: event.Joined, Err: errors.New("late")}, {Kind: event.Log, Text: "a line"},
		{Kind: event.Departed}})
}

func TestTraceHasALineForEachEvent(t *testing.T) {
	w := newWorld(false, true)
	traces(w.Reporter)
	got := strings.Split(strings.TrimSpace(w.traced.String()), "\n")
	want := []string{
		`"packet","what":"received","peer":"10.0.0.2:6969","bytes":10`,
		`"packet","what":"sent","peer":"10.0.0.2:6969","bytes":20,"count":2`,
		`"message","what":"received","peer":"two"`,
		`"link","what":"up","peer":"two"`,
		`"link","what":"down","peer":"two"`,
		`"choice","peers":["two","` + id(9).String() + `"]`,
		`"suspicion","what":"raised","peer":"two","by":"three"`,
		`"suspicion","what":"refuted","peer":"two"`,
		`"member","what":"joined","peer":"two"`,
		`"member","what":"updated","peer":"two"`,
		`"member","what":"conflict","peer":"two"`,
		`"member","what":"dead","peer":"two"`,
		`"message","what":"delivered","bytes":5`,
		`"node","what":"join ended"`,
		`"node","what":"join ended","text":"late"`,
		`"text":"a line"`,
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("line %d is %s, want %s", i, got[i], want[i])
		}
	}
}

func TestNothingIsMadeForATraceThatNobodyWants(t *testing.T) {
	w := newWorld(false, false)
	run, events := &outbox.Run{To: wire.Path{Remote: addr(2)}}, []event.Event{{Kind: event.Joined}}
	m := &wire.Message{Kind: wire.KindPing}
	two := w.members.Get(id(2))
	allocs := testing.AllocsPerRun(100, func() {
		w.Enter(start)
		w.Received(start, run.To, nil)
		w.Sent(start, run)
		w.Message(start, id(2), m)
		w.LinkUp(start, id(2))
		w.Refutation(start, two)
		w.Events(events)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
