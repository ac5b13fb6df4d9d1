package doctor

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/client"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/udp"
)

// selfName is the doctor's name as a member.
const selfName = "gwyh-doctor"

// A Config describes an examination.
type Config struct {
	Target string   // host, or host:port
	Keys   [][]byte // keys of this node; none for the default key
	Label  string
	Labels []string       // labels that the other node may have
	Local  netip.AddrPort // where to send from; zero for any
	Node   netip.AddrPort // where a node of this machine listens; zero if that is unknown. Local takes precedence
	Meta   int            // bytes of metadata that a node on this machine would have
	NoJoin bool           // do not become a member, not even briefly
	Agent  *client.Client // of the other node; nil if it is not an agent, or its API may not be used
	Here   *client.Client // of the agent on this machine, which is asked if it has the port of Node; nil if there is none
	OnStep func(Step)     // is called with each step immediately; may be nil

	clock func() time.Time // nil for the system clock; tests set others
}

// Numbers of Hellos for each try, which are sent at 0, 0.1, 0.4 and 1.4 s. The node counts and logs each Hello that it
// refuses, so there are few of the tries that most likely fail.
const (
	ownHellos   = 4
	guessHellos = 2
)

// Time limits for answers.
const (
	helloWait   = 2500 * time.Millisecond // for a running node
	guessWait   = 4 * time.Second         // for one of many guesses
	confirmWait = 4 * time.Second
	pingWait    = 400 * time.Millisecond // plus four round trips
	joinWait    = 8 * time.Second
	lookupWait  = 10 * time.Second
)

// An examination is one run of the doctor for one address.
type examination struct {
	*Config
	report *Report
	to     netip.AddrPort
	from   netip.Addr // the address that the system sends from
	line   *line
	watch  *watch
	own    uint16 // the port of Local or Node, if the line has it; otherwise zero
	warned bool   // the user was told about the tries that a node refuses
}

// Examine finds out why a Join fails, or reports that it succeeds.
func Examine(ctx context.Context, c *Config) *Report {
	r := &Report{Target: c.Target, onStep: c.OnStep}
	host, port := c.Target, fmt.Sprint(gwyh.DefaultPort)
	if h, p, err := net.SplitHostPort(c.Target); err == nil {
		host, port = h, p
	}
	number, err := net.LookupPort("udp", port)
	if err != nil {
		r.fail(NoAddress, "address", "%q: %v", c.Target, err)
		return r
	}
	addrs, ok := r.lookup(ctx, host)
	if !ok {
		return r
	}
	x := &examination{Config: c, report: r, to: netip.AddrPortFrom(addrs[0], uint16(number))}
	if len(addrs) > 1 {
		r.note("address", Warning, "the name has %d addresses, of which the first is examined: %v", len(addrs), addrs)
	}
	x.examine(ctx)
	return r
}

// lookup returns the addresses of a host. If there are none, it records the fault.
func (r *Report) lookup(ctx context.Context, host string) (addrs []netip.Addr, ok bool) {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{ip.Unmap()}, true
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		r.fail(NoAddress, "address", "%v", err)
		return nil, false
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	r.note("address", OK, "%s is %v", host, addrs)
	return addrs, true
}

// examine runs all steps for one address, from the route to a Join.
func (x *examination) examine(ctx context.Context) {
	clock := x.Config.clock
	if clock == nil {
		clock = time.Now
	}
	taken, err := x.open(clock)
	if err != nil {
		x.report.fail(NoBind, "socket", "%v", err)
		return
	}
	defer x.line.close()
	if !x.route() {
		return
	}
	x.notePort(taken)
	x.watch = startWatch(x.to, x.line.local())
	defer x.watch.stop()

	// While the Hellos are in flight, a knock collects errors of the system and answers of other programs.
	knocks := make(chan error, 16)
	knocking, cancel := context.WithCancel(ctx)
	defer cancel()
	go udp.Knock(knocking, x.Local.Addr(), x.to, func(err error, _ time.Duration) {
		select {
		case knocks <- err:
		default:
		}
	})
	own := x.tries()
	answered, err := x.line.shake(ctx, own, ownHellos, helloWait, true)
	if len(answered) == 0 {
		x.unanswered(ctx, err, func() []error { return drain(knocks) })
		return
	}
	cancel()
	a := answered[0]
	x.report.note("handshake", OK, "a node answers under the key %s, in %v", x.keyName(a.key), a.made.RTT.Round(10*time.Microsecond))
	if !x.compareClocks(ctx, a.key, 0) {
		return
	}
	if !x.path(ctx, a) {
		return
	}
	if taken && !x.askHere(ctx) {
		return
	}
	if x.NoJoin {
		x.report.untested("a Join, because of -no-join: the other side may refuse one")
		return
	}
	x.join(ctx)
}

// open opens the line. A firewall may treat the port of a node differently from a free one, so the line has the node's own
// port if it can. taken means that another program has it, as if the node runs. Then the line has a free port.
func (x *examination) open(clock func() time.Time) (taken bool, err error) {
	examinesItself := x.to.Port() == x.Node.Port() && interfaceOf(x.to.Addr()) != "" // the node examined has the port
	if x.Local.Port() != 0 || x.Node.Port() == 0 || examinesItself {
		x.own = x.Local.Port()
		x.line, err = open(x.Local, x.to, clock)
		return false, err
	}
	if at := x.Node.Addr(); !x.Local.Addr().IsValid() && at.IsValid() && at.Is4() == x.to.Addr().Is4() {
		x.Local = netip.AddrPortFrom(at, 0)
	}
	at := netip.AddrPortFrom(x.Local.Addr(), x.Node.Port())
	if x.line, err = open(at, x.to, clock); err == nil {
		x.own = at.Port()
		return false, nil
	}
	taken = isTaken(err)
	if !taken {
		x.report.note("port", Warning, "a node of this machine cannot use %v: %v", at, err)
	}
	x.line, err = open(netip.AddrPortFrom(x.Local.Addr(), 0), x.to, clock)
	return taken, err
}

// windowsTaken is WSAEADDRINUSE.
const windowsTaken = syscall.Errno(10048)

func isTaken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsTaken)
}

// notePort tells which port the handshakes leave from, and what that means.
func (x *examination) notePort(taken bool) {
	r := x.report
	switch {
	case x.own != 0:
		r.note("port", OK, "handshakes leave from UDP port %d, as those of a node here would", x.own)
	case taken:
		r.note("port", Warning, "UDP port %d of this machine is in use, as if the node runs, so handshakes leave from port %d: a firewall may treat the two differently", x.Node.Port(), x.line.local())
	default:
		r.untested("the port of a node of this machine, because handshakes left from UDP port %d: -bind names it", x.line.local())
	}
}

func drain(knocks chan error) (all []error) {
	for {
		select {
		case err := <-knocks:
			all = append(all, err)
		default:
			return all
		}
	}
}

// route checks that this machine has a route to the address. It sends nothing.
func (x *examination) route() bool {
	var local *net.UDPAddr
	if x.Local.Addr().IsValid() && !x.Local.Addr().IsUnspecified() {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(x.Local.Addr(), 0))
	}
	c, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(x.to))
	if err != nil {
		x.report.fail(NoRoute, "route", "this machine sends nothing to %v: %v", x.to, err)
		return false
	}
	defer func() { _ = c.Close() }()
	x.from = c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	x.report.note("route", OK, "from %v to %v%s", x.from, x.to, interfaceOf(x.from))
	return true
}

// interfaceOf describes the interface that has an address.
func interfaceOf(a netip.Addr) string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range all {
		addrs, _ := i.Addrs()
		if slices.ContainsFunc(addrs, func(n net.Addr) bool { p, err := netip.ParsePrefix(n.String()); return err == nil && p.Addr() == a }) {
			return fmt.Sprintf(", by %s with an MTU of %d", i.Name, i.MTU)
		}
	}
	return ""
}

// defaultKey is the key of nodes without a configured key.
const defaultKey = "insecure"

// keys returns the keys of this node.
func (x *examination) keys() [][]byte {
	if len(x.Keys) == 0 {
		return [][]byte{[]byte(defaultKey)}
	}
	return x.Keys
}

// tries returns the handshakes that a node with this configuration would try.
func (x *examination) tries() (tries []try) {
	for _, k := range x.keys() {
		tries = append(tries, try{key: handshake.NewKey(k, x.Label)})
	}
	return tries
}

// keyName names one of the node's own keys without showing it.
func (x *examination) keyName(k handshake.Key) string {
	for _, raw := range x.keys() {
		if handshake.NewKey(raw, x.Label).ID() == k.ID() {
			return nameOf(raw)
		}
	}
	return "?"
}

// nameOf names a key without showing it.
func nameOf(raw []byte) string {
	switch f := gwyh.KeyFingerprint(raw); {
	case string(raw) == defaultKey:
		return "that is the well-known default"
	case f == "":
		return "that is weak, and so has no fingerprint"
	default:
		return "with the fingerprint " + f
	}
}

// warn tells the user once about the lines that the tries leave in the log of the node.
func (x *examination) warn() {
	if !x.warned {
		x.warned = true
		x.report.note("tries", OK, "handshakes with other times, keys or labels follow from UDP port %d. A node refuses them, so its log may have \"handshake with ...:%d refused\", and its warnings and alerts may count them", x.line.local(), x.line.local())
	}
}

// clockMax is the largest difference that nodes accept between clocks; above clockWarn the doctor warns.
const (
	clockMax  = 60 * time.Second
	clockWarn = 10 * time.Second
	clockStep = 5 * time.Second
)

// clocksAgree reports whether the clocks differ by no more than clockWarn. If they do not differ, the node refuses none of
// these Hellos, so an examination that finds no fault leaves no warnings there.
func (x *examination) clocksAgree(ctx context.Context, key handshake.Key) bool {
	const edge = clockMax - clockWarn
	answered, _ := x.line.shake(ctx, []try{{key, -edge}, {key, edge}}, ownHellos, helloWait, false)
	if len(answered) < 2 {
		return false
	}
	x.report.note("clock", OK, "the clocks agree (to within %v)", clockWarn)
	return true
}

// compareClocks measures how much the other node's clock differs from this one's, given a shift under which the node
// answers. A node accepts Hellos whose time is at most 60 s off, so its own time is the middle of what it accepts.
func (x *examination) compareClocks(ctx context.Context, key handshake.Key, hit time.Duration) bool {
	if hit == 0 && x.clocksAgree(ctx, key) {
		return true
	}
	var tries []try
	for d := -2 * clockMax; d <= 2*clockMax; d += clockStep {
		tries = append(tries, try{key, hit + d})
	}
	x.warn()
	answered, _ := x.line.shake(ctx, tries, guessHellos, time.Second, false)
	if len(answered) == 0 {
		x.report.note("clock", Unknown, "the node does not answer again")
		return true
	}
	smallest, largest := answered[0].shift, answered[len(answered)-1].shift
	off := (smallest + largest) / 2
	text := fmt.Sprintf("the clock of the other node is %v ahead of this one", off)
	switch {
	case off.Abs() <= clockStep:
		text = "the clocks agree"
	case off < 0:
		text = fmt.Sprintf("the clock of the other node is %v behind this one", -off)
	}
	text += fmt.Sprintf(" (to within %v)", clockStep)
	switch {
	case off.Abs() > clockMax-clockStep && hit != 0:
		x.report.fail(WrongClock, "clock", "%s, and a node refuses handshakes that are more than %v off", text, clockMax)
		return false
	case off.Abs() > clockWarn:
		x.report.note("clock", Warning, "%s; beyond %v a node refuses handshakes", text, clockMax)
	default:
		x.report.note("clock", OK, "%s", text)
	}
	return true
}

// Sizes of datagrams to try.
const leastDatagram = 1200 // every path must carry it (PROTOCOL.md P10)

var (
	smaller = []int{900, 600, 450}
	whole   = []int{leastDatagram, 1400, 1452, 1472, 4096, 8952}
)

// path completes the handshake and finds out how large datagrams to the node may be.
func (x *examination) path(ctx context.Context, a *attempt) bool {
	t, err := x.line.talk(ctx, a, confirmWait)
	if err != nil {
		x.report.fail(NarrowPath, "session", "%v: small datagrams pass, and larger ones do not", err)
		return false
	}
	v := t.peer.Versions
	x.report.note("session", OK, "the node is %q at %v in zone %q; it speaks version %d of memberlist's protocol, and version %d of the application's (it understands %d to %d)",
		t.peer.Name, t.peer.Addr, t.peer.ZoneName, v[2], v[5], v[3], v[4])
	each := pingWait + 4*a.made.RTT
	if !t.passes(ctx, leastDatagram, each) {
		for _, size := range smaller {
			if t.passes(ctx, size, each) {
				x.report.fail(NarrowPath, "path", "datagrams of %d bytes reach the node, those of %d bytes do not", size, leastDatagram)
				return false
			}
		}
		x.report.fail(Dropped, "path", "after the handshake no datagram is answered")
		return false
	}
	largest := 0
	setWhole(x.line.conn, true)
	for _, size := range whole {
		if !t.passes(ctx, size, each/2) {
			break
		}
		largest = size
	}
	setWhole(x.line.conn, false)
	if largest == 0 {
		x.report.note("path", Warning, "datagrams of %d bytes reach the node, but not whole: each is fragmented on the way, which costs time and loses more", leastDatagram)
		return true
	}
	x.report.note("path", OK, "datagrams of %d bytes reach the node whole; a path needs %d", largest, leastDatagram)
	return true
}

// join joins the node as any node on this machine would, and leaves.
func (x *examination) join(ctx context.Context) {
	c := gwyh.DefaultLANConfig()
	c.Name = fmt.Sprintf("%s-%08x", selfName, rand.Uint32())
	c.BindAddr, c.BindPort, c.AdvertisePort = x.from.String(), int(x.own), 0
	c.Label, c.LogHandler, c.MetaMax = x.Label, slog.DiscardHandler, max(x.Meta, gwyh.MetaMaxSize)
	c.UDPBufferSize = max(c.UDPBufferSize, min(c.MetaMax+1000, 65507))
	c.Delegate = quiet{meta: make([]byte, x.Meta)}
	var err error
	if c.Keyring, err = gwyh.NewKeyring(x.Keys, first(x.Keys)); err != nil {
		x.report.note("join", Unknown, "%v", err)
		return
	}
	x.watch.stop()
	x.line.close() // frees the port
	m, err := gwyh.Create(c)
	if err != nil {
		x.report.note("join", Unknown, "no node is made here: %v", err)
		return
	}
	defer func() { _ = m.Shutdown() }()
	joining, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	if _, err := m.JoinContext(joining, []string{x.to.String()}); err != nil {
		x.refused(err)
		return
	}
	defer func() { _ = m.Leave(2 * time.Second) }()
	x.report.note("join", OK, "joined, as %q at %s: the cluster has %d members with this one", c.Name, m.LocalNode().Address(), m.NumMembers())
	x.neighbors(ctx, m)
}

func first(keys [][]byte) []byte {
	if len(keys) == 0 {
		return nil
	}
	return keys[0]
}

// refused records why a Join failed although the nodes can communicate.
func (x *examination) refused(err error) {
	if veto, ok := errors.AsType[*pushpull.VetoError](err); ok {
		x.report.fail(Refused, "join", "the other side refuses this node: %q", veto.Reason)
		return
	}
	if v, ok := errors.AsType[*pushpull.VersionError](err); ok {
		x.report.fail(Refused, "join", "the versions of the protocols do not fit: %v", v)
		return
	}
	if errors.Is(err, handshake.ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) {
		x.report.fail(NarrowPath, "join", "the nodes shake hands, and the Join does not end within %v, as if larger datagrams were lost in either direction: %v", joinWait, err)
		return
	}
	x.report.fail(Refused, "join", "%v", err)
}

// linkWait is longer than a new member takes to get a link.
const linkWait = 3 * time.Second

// neighbors checks whether members accept this node, by the links that it has a short time later.
func (x *examination) neighbors(ctx context.Context, m *gwyh.Memberlist) {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(linkWait); m.Stats().Links == 0 && time.Now().Before(end) && ctx.Err() == nil; {
		<-poll.C
	}
	s := m.Status()
	switch {
	case len(s.Links) == 0:
		x.report.note("links", Warning, "no member exchanges broadcasts with this node within %v", linkWait)
	default:
		x.report.note("links", OK, "members that exchange broadcasts with this node: %d", len(s.Links))
	}
	for _, w := range s.Warnings {
		x.report.note("warning", Warning, "%s", w.Text)
	}
	x.opinion(ctx, m.LocalNode().Name)
}

// opinion asks the other agent for its view of this node, if its API may be used.
func (x *examination) opinion(ctx context.Context, name string) {
	if x.Agent == nil {
		x.report.untested("in which state the other node has this one: -api names the API of its agent")
		return
	}
	const step = "view of the other node"
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	var members []api.Member
	if err := x.Agent.Get(ctx, "/v1/members", &members); err != nil {
		x.report.note(step, Unknown, "%v", err)
		return
	}
	i := slices.IndexFunc(members, func(m api.Member) bool { return m.Name == name })
	if i < 0 {
		x.report.note(step, Warning, "the agent there does not list this node among its %d members", len(members))
		return
	}
	// Without a session the agent starts a handshake with this node, which tests the way back.
	var pong api.PingResponse
	if err := x.Agent.Post(ctx, "/v1/ping", api.PingRequest{Name: name}, &pong); err != nil {
		x.report.note(step, Warning, "the agent there has this node as %s at %s, and gets no answer from it: %v", members[i].State, members[i].Addr, err)
		return
	}
	x.report.note(step, OK, "the agent there has this node as %s at %s, and reaches it in %.2f ms", members[i].State, members[i].Addr, pong.RTT)
}

// apiWait bounds one request to the other agent.
const apiWait = 5 * time.Second

// quiet is an application that sends nothing.
type quiet struct{ meta []byte }

func (q quiet) NodeMeta(limit int) []byte     { return q.meta[:min(len(q.meta), limit)] }
func (quiet) NotifyMsg([]byte)                {}
func (quiet) GetBroadcasts(int, int) [][]byte { return nil }
func (quiet) LocalState(bool) []byte          { return nil }
func (quiet) MergeRemoteState([]byte, bool)   {}

// notations returns keys that a person may have meant by raw: its base64, its decoded base64, or a line end added.
func notations(raw []byte) (keys [][]byte) {
	keys = append(keys, []byte(base64.StdEncoding.EncodeToString(raw)), append(slices.Clone(raw), '\n'),
		[]byte(base64.StdEncoding.EncodeToString(raw)+"\n"))
	if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw))); err == nil && len(decoded) > 0 {
		keys = append(keys, decoded)
	}
	return keys
}
