package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/memnet"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A member is a member as the application of these tests sees it.
type member = *gossip.Member

// testConfig returns the configuration of a node with an application that records its calls.
func testConfig(name string, app *app) Config[member] {
	c := Config[member]{
		Core: gossip.Config{
			Name: name, MetaMax: 512, Versions: [6]byte{1, 5, 2}, Subscriptions: 5, Heartbeat: time.Second,
			DatagramSize: 1400, DatagramTaken: udp.MaxDatagram, AnswerAdvertised: true, Detection: swim.Config{ProbeTimeout: 500 * time.Millisecond},
		},
		Log:     NewLog(nil, new(bytes.Buffer), nil),
		Convert: func(m *gossip.Member) member { own := *m; return &own },
		ID:      func(m member) wire.NodeID { return m.ID },
		Meta:    func(m member) []byte { return m.Meta },
		Public:  func(err error) error { return err },
		Keys:    func() Keys { return Keys{Keys: handshake.NewKeys([][]byte{[]byte("insecure")}, "")} },
		Port:    6969, Timeout: 10 * time.Second, PollInterval: 20 * time.Millisecond, InboxDepth: 1024,
	}
	if app != nil {
		c.Application = Application[member]{Delegate: app, Events: app}
	}
	return c
}

// An app is an application that records its calls. It is safe for concurrent use.
type app struct {
	mu       sync.Mutex
	messages []string
	told     []string
	state    string
	merged   []string
	queue    [][]byte
}

func (a *app) NotifyMsg(b []byte)    { a.note(&a.messages, string(b)) }
func (a *app) NotifyJoin(m member)   { a.note(&a.told, "join "+m.Name) }
func (a *app) NotifyLeave(m member)  { a.note(&a.told, "leave "+m.Name) }
func (a *app) NotifyUpdate(m member) { a.note(&a.told, "update "+m.Name) }
func (a *app) LocalState(bool) []byte {
	return []byte(a.state)
}
func (a *app) MergeRemoteState(b []byte, _ bool) { a.note(&a.merged, string(b)) }

func (a *app) GetBroadcasts(int, int) [][]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queue
	a.queue = nil
	return q
}

func (a *app) note(list *[]string, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*list = append(*list, text)
}

func (a *app) noted(list *[]string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(*list)
}

// A network carries packets between nodes in memory.
type network struct {
	directory memnet.Directory[*end]
}

type end struct {
	addr    netip.AddrPort
	packets chan packet
}

type packet struct {
	from net.Addr
	b    []byte
}

// attach adds a transport to the network, and sets it and its address in c.
func (w *network) attach(c *Config[member]) {
	e := w.directory.Add(c.Core.Name, func(addr netip.AddrPort) *end { return &end{addr, make(chan packet, 1024)} })
	c.Core.Advertise = e.addr
	c.Transport = Transport{
		Shutdown: func() error { w.directory.Remove(e.addr.String()); return nil },
		Write: func(to netip.AddrPort, name string, b []byte) error {
			other, ok := w.directory.Find(to.String(), "")
			if !ok {
				return errors.New("nobody is there")
			}
			select {
			case other.packets <- packet{net.UDPAddrFromAddrPort(e.addr), bytes.Clone(b)}:
			default:
			}
			return nil
		},
		Receive: Receive(func() <-chan packet { return e.packets }, func(p packet) (net.Addr, []byte) { return p.from, p.b }),
	}
}

// start starts a node in the network.
func (w *network) start(t *testing.T, name string, app *app, changes ...func(*Config[member])) *Node[member] {
	t.Helper()
	c := testConfig(name, app)
	w.attach(&c)
	for _, change := range changes {
		change(&c)
	}
	return start(t, c)
}

func start(t *testing.T, c Config[member]) *Node[member] {
	t.Helper()
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(func() { _ = n.Shutdown() })
	return n
}

// onLoopback starts a node with a socket at a loopback address. Its Joins have a minute.
func onLoopback(t *testing.T, name string, at netip.AddrPort) *Node[member] {
	t.Helper()
	s, err := udp.ListenAll([]netip.Addr{at.Addr()}, at.Port())
	if err != nil {
		t.Fatal(err)
	}
	inlet := udp.NewInlet[packet](s, 1)
	c := testConfig(name, nil)
	c.Timeout = time.Minute
	c.Core.AnswerAdvertised, c.Core.Advertise = false, s[0].LocalAddr()
	c.Transport = Transport{
		Shutdown: inlet.Close, Sockets: s, Own: udp.NewOwn(s), Claim: inlet.Claim,
		Divert: func(take func(net.Addr, []byte)) { inlet.Divert(func(p packet) { take(p.from, p.b) }) },
	}
	return start(t, c)
}

func address(n *Node[member]) string { return n.Self().Addr.String() }

func join(t *testing.T, n *Node[member], to ...string) {
	t.Helper()
	if reached, err := n.Join(t.Context(), to, true); reached != len(to) || err != nil {
		t.Fatalf("Join = %d, %v", reached, err)
	}
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatal("not within 20 s")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestNodesJoinNotifyTheApplicationAndExchangeMessagesAndStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		of := []*app{{state: "of a"}, {state: "of b"}}
		a, b := w.start(t, "a", of[0]), w.start(t, "b", of[1])
		join(t, b, address(a))
		if got := of[1].noted(&of[1].merged); !slices.Equal(got, []string{"of a"}) {
			t.Errorf("b merged %q", got)
		}
		if got := b.Members(); len(got) != 2 || got[1].Name != "b" || b.NumMembers() != 2 {
			t.Errorf("b knows %v", got)
		}
		time.Sleep(5 * time.Second)
		if err := a.Broadcast([]byte("small")); err != nil {
			t.Error(err)
		}
		if err := a.Broadcast(bytes.Repeat([]byte("x"), 100<<10)); err != nil {
			t.Error(err)
		}
		if err := a.Send(address(b), "", []byte("to b"), true); err != nil {
			t.Error(err)
		}
		of[0].mu.Lock()
		of[0].queue = [][]byte{[]byte("polled")}
		of[0].mu.Unlock()
		time.Sleep(time.Second)
		got := of[1].noted(&of[1].messages)
		switch {
		case len(got) != 4:
			t.Errorf("len(got) is %d, want 4: %v", len(got), got)
		case !slices.Contains(got, "small"):
			t.Errorf("got lacks %q:\n%v", "small", got)
		case !slices.Contains(got, "polled"):
			t.Errorf("got lacks %q:\n%v", "polled", got)
		case !slices.Contains(got, "to b"):
			t.Errorf("got lacks %q:\n%v", "to b", got)
		}
		if rtt, err := a.Ping("b", address(b)); err != nil || rtt < 0 {
			t.Error(rtt, err)
		}
		if _, err := a.Ping("c", address(b)); !errors.Is(err, ErrNoPingAnswer) {
			t.Error(err)
		}
		if err := b.SetMeta([]byte("meta"), time.Second); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // events of one instant may merge
		if err := b.Leave(time.Second); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if got := of[0].noted(&of[0].told); !slices.Equal(got, []string{"join b", "update b", "leave b"}) {
			t.Errorf("a was told %q", got)
		}
	})
}

func TestMessageToOneselfIsDeliveredWithoutASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		var own app
		n := w.start(t, "a", &own)
		if err := n.Send(address(n), "a", []byte("hello"), true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f, err := n.Figures()
		if got := own.noted(&own.messages); !slices.Equal(got, []string{"hello"}) || err != nil || f.Core.SentDatagrams != 0 {
			t.Errorf("%q, %d datagrams, %v", got, f.Core.SentDatagrams, err)
		}
	})
}

func TestCallsAfterShutdownReturnAnErrorAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		n := w.start(t, "a", new(app))
		for range 2 {
			if err := n.Shutdown(); err != nil {
				t.Error(err)
			}
		}
		_, join := n.Join(context.Background(), []string{"127.0.0.9:9"}, true)
		_, ping := n.Ping("", "127.0.0.9:9")
		_, figures := n.Figures()
		for name, err := range map[string]error{
			"Broadcast": n.Broadcast([]byte("x")), "a large Broadcast": n.Broadcast(make([]byte, 1<<20)), "Send": n.Send("127.0.0.9:9", "", nil, true),
			"SetMeta": n.SetMeta(nil, 0), "Join": join, "Ping": ping, "Figures": figures,
		} {
			if !errors.Is(err, ErrShutdown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := n.Leave(0); err != nil {
			t.Errorf("Leave: %v", err)
		}
		if got := n.HealthScore(); got != 0 {
			t.Errorf("health score %d, want 0", got)
		}
		if got := n.NumMembers(); got != 1 {
			t.Errorf("%d members, want 1", got)
		}
	})
}

func TestUnchangedMembersKeepTheirNodeInTheNextSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, b, c := w.start(t, "a", nil), w.start(t, "b", nil), w.start(t, "c", nil)
		join(t, b, address(a))
		join(t, c, address(a))
		time.Sleep(10 * time.Second)
		find := func(name string) member {
			return a.Members()[slices.IndexFunc(a.Members(), func(m member) bool { return m.Name == name })]
		}
		before := find("c")
		was := find("b")
		if err := b.SetMeta([]byte("new"), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if find("c") != before {
			t.Error("c did not change, but there is another Node of it")
		}
		if now := find("b"); now == was || len(was.Meta) != 0 || string(now.Meta) != "new" {
			t.Errorf("b: %q, %q before", now.Meta, was.Meta)
		}
		members := a.Members()
		if members[2] != a.Self() {
			t.Error("this node does not come last")
		}
		clear(members)
		if a.Members()[0] == nil {
			t.Error("the slice is the node's own")
		}
	})
}

func TestQuestionIsTakenOnceInOrderAndNotBeforeItsTime(t *testing.T) {
	q, now := newQuestions(), time.Unix(1e9, 0)
	if _, ok := q.take(now); ok {
		t.Error("there is a question without any")
	}
	for i := range 3 {
		q.put(question{event: event.Event{Text: fmt.Sprint(i)}, at: now.Add(time.Duration(i) * time.Second)})
	}
	if len(q.wake) != 1 {
		t.Errorf("%d tokens", len(q.wake))
	}
	for i := range 3 {
		at := now.Add(time.Duration(i) * time.Second)
		if _, ok := q.take(at.Add(-1)); ok {
			t.Errorf("question %d was taken too early", i)
		}
		if got, ok := q.take(at); !ok || got.event.Text != fmt.Sprint(i) {
			t.Errorf("question %d: %q, %v", i, got.event.Text, ok)
		}
	}
}

func TestMetaWrittenIntoSelfIsAdoptedByAJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		n := w.start(t, "a", nil)
		n.Self().Meta = []byte("written")
		if _, err := n.Join(t.Context(), nil, true); err != nil || string(n.Self().Meta) != "written" {
			t.Errorf("%q, %v", n.Self().Meta, err)
		}
		old := n.Self()
		if err := n.SetMeta([]byte("newer"), 0); err != nil {
			t.Fatal(err)
		}
		old.Meta = []byte("too late")
		if _, err := n.Join(t.Context(), nil, true); err != nil || string(n.Self().Meta) != "newer" {
			t.Errorf("%q, %v", n.Self().Meta, err)
		}
		n.Self().Meta = make([]byte, 513)
		if _, err := n.Join(t.Context(), nil, true); err == nil {
			t.Error("513 bytes were adopted")
		}
	})
}

func TestWaysOfAMessageHaveTheSameNamesInBothPackages(t *testing.T) {
	if len(vias) != 3 {
		t.Errorf("%d ways", len(vias))
	}
}

func TestEachWarningAboutKeysIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		var out bytes.Buffer
		var changed func()
		warnings := []string{"weak"}
		n := w.start(t, "a", nil, func(c *Config[member]) {
			c.Log = NewLog(log.New(&out, "", 0), nil, nil)
			c.Keys = func() Keys {
				return Keys{Keys: handshake.NewKeys([][]byte{[]byte("insecure")}, ""), Warnings: warnings}
			}
			c.WatchKeys = func(f func()) func() { changed = f; return func() { changed = nil } }
		})
		changed()
		warnings = []string{"weak", "short"}
		changed()
		f := changed
		_ = n.Shutdown()
		if changed != nil {
			t.Error("the keys are watched after Shutdown")
		}
		warnings = []string{"late"}
		f()
		if got := out.String(); got != "[WARN] gwyh: weak\n[WARN] gwyh: short\n" {
			t.Errorf("%q", got)
		}
	})
}

func TestWarningsAboutKeysAreRepeatedEveryHourInCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		var out bytes.Buffer
		a := w.start(t, "a", nil, func(c *Config[member]) {
			c.Log = NewLog(log.New(&out, "", 0), nil, nil)
			c.Keys = func() Keys {
				return Keys{Keys: handshake.NewKeys([][]byte{[]byte("insecure")}, ""), Warnings: []string{"weak"}, Default: true, Weak: 1}
			}
		})
		said := func() int { return strings.Count(out.String(), "[WARN] gwyh: weak\n") }
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := said(); got != 1 {
			t.Errorf("said %d times while alone, want 1", got)
		}
		b := w.start(t, "b", nil)
		join(t, b, a.Self().Addr.String())
		time.Sleep(150 * time.Minute)
		synctest.Wait()
		if got := said(); got != 4 {
			t.Errorf("said %d times after two and a half hours in company, want 4", got)
		}
		switch f, err := a.Figures(); {
		case err != nil:
			t.Error(err)
		case !f.Keys.Default:
			t.Error("the default key is not noticed")
		case f.Keys.Weak != 1:
			t.Errorf("%v keys are weak, want 1", f.Keys.Weak)
		case f.Keys.Keys != nil:
			t.Errorf("the keys are %v, want nil", f.Keys.Keys)
		}
	})
}
