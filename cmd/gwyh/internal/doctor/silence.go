package doctor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/udp"
)

// unanswered finds out why no Hello of this node was answered. sending is the error of the system when the Hellos
// were sent. knocked returns what the knocks received since its last call.
func (x *examination) unanswered(ctx context.Context, sending error, knocked func() []error) {
	r := x.report
	if x.said(append([]error{sending}, knocked()...)) {
		return
	}
	r.note("handshake", Failed, "no answer within %v under %s", helloWait, x.described())
	if x.guess(ctx) || x.said(knocked()) { // after three seconds the system knows that no machine has an address
		return
	}
	if x.watch.seen() {
		r.fail(Dropped, "firewall here", "answers of %v arrive at this machine, and its firewall drops them", x.to)
		return
	}
	if x.ask(ctx) {
		return
	}
	x.compare(ctx)
}

// said reports whether errors of the system, or answers of another program, show the fault.
func (x *examination) said(errs []error) bool {
	r := x.report
	for _, err := range errs {
		switch {
		case err == nil:
			continue
		case errors.Is(err, udp.ErrMemberlist), errors.Is(err, udp.ErrStranger):
			r.fail(NotGwyh, "port", "%v", err)
		case errors.Is(err, syscall.ECONNREFUSED):
			r.fail(ClosedPort, "port", "the machine says that nothing listens at UDP port %d", x.to.Port())
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
			r.fail(Dropped, "port", "the firewall of this machine, or one on the way that says so, forbids it: %v", err)
		case udp.NoRoute(err) != nil:
			r.fail(NoRoute, "port", "%v", err)
		default:
			continue
		}
		return true
	}
	return false
}

// described describes the keys and the label of this node.
func (x *examination) described() string {
	var names []string
	for _, k := range x.keys() {
		names = append(names, "the key "+nameOf(k))
	}
	label := "no label"
	if x.Label != "" {
		label = fmt.Sprintf("the label %q", x.Label)
	}
	return strings.Join(names, ", ") + " and " + label
}

// A guess is a configuration that the other node may have.
type guess struct {
	try
	fault Fault
	text  string
}

// guess tries likely configurations and reports whether one of them is the fault.
func (x *examination) guess(ctx context.Context) bool {
	all := x.guesses()
	tries := make([]try, len(all))
	for i := range all {
		tries[i] = all[i].try
	}
	x.warn()
	answered, _ := x.line.shake(ctx, tries, guessHellos, guessWait, true)
	if len(answered) == 0 {
		x.report.note("guesses", Unknown, "no answer either under %d other labels, notations of the keys, and times up to 14 hours off", len(all))
		return false
	}
	for _, g := range all {
		if g.key.ID() != answered[0].key.ID() || g.shift != answered[0].shift {
			continue
		}
		if g.fault.Name == WrongClock.Name {
			return !x.compareClocks(ctx, g.key, g.shift)
		}
		x.report.fail(g.fault, "handshake", "%s", g.text)
		return true
	}
	return false
}

// guesses returns likely labels, keys and times.
func (x *examination) guesses() (all []guess) {
	for _, raw := range x.keys() {
		for _, label := range append([]string{""}, x.Labels...) {
			if label != x.Label {
				text := fmt.Sprintf("the node answers under the label %q, and this one has %q", label, x.Label)
				if label == "" {
					text = fmt.Sprintf("the node has no label, and this one has %q", x.Label)
				}
				all = append(all, guess{try{handshake.NewKey(raw, label), 0}, WrongLabel, text})
			}
		}
		for _, other := range notations(raw) {
			all = append(all, guess{try{handshake.NewKey(other, x.Label), 0}, WrongKey,
				"the node has the same key in another notation: one of the two has taken its base64, or the end of a line, for a part of the key"})
		}
	}
	for _, label := range []string{x.Label, ""} {
		all = append(all, guess{try{handshake.NewKey([]byte(defaultKey), label), 0}, WrongKey, "the node has no key: it answers under the well-known default key"})
	}
	key := handshake.NewKey(x.keys()[0], x.Label)
	for _, shift := range shifts() {
		all = append(all, guess{try{key, shift}, WrongClock, ""})
	}
	return all
}

// shifts returns differences between clocks: up to an hour, smallest first, and then those between time zones.
func shifts() (all []time.Duration) {
	const apart = 110 * time.Second // a node accepts 60 s in both directions
	for d := apart; d < time.Hour+apart; d += apart {
		all = append(all, d, -d)
	}
	for d := 90 * time.Minute; d <= 14*time.Hour; d += 30 * time.Minute {
		all = append(all, d, -d)
	}
	return all
}

// refusal matches the log line of an agent that refuses a handshake.
var refusal = regexp.MustCompile(`handshake with (\S+) refused: ([^(]*[^( ])`)

// ask reads the log of the other node and reports whether it shows the fault.
func (x *examination) ask(ctx context.Context) bool {
	r := x.report
	if x.Agent == nil {
		r.note("log of the other node", Unknown, "not asked: -api and GWYH_TOKEN would let the doctor read the log of the agent there")
		return false
	}
	// A separate port distinguishes the log lines about these Hellos from those about the guesses.
	own, err := open(netip.AddrPortFrom(x.Local.Addr(), 0), x.to, x.line.clock)
	if err != nil {
		r.note("log of the other node", Unknown, "no socket: %v", err)
		return false
	}
	defer own.close()
	// The log has at most one line per reason in ten seconds, so send Hellos for longer than that.
	const patience = 12 * time.Second
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		_, _ = own.shake(ctx, x.tries(), ownHellos, time.Second, true)
		lines, err := x.log(ctx)
		if err != nil {
			r.note("log of the other node", Unknown, "%v", err)
			return false
		}
		for _, l := range lines {
			m := refusal.FindStringSubmatch(l.Text)
			if m == nil || !strings.HasSuffix(m[1], fmt.Sprintf(":%d", own.local())) {
				continue
			}
			fault := WrongKey
			if strings.HasPrefix(m[2], handshake.TimeOff.String()) {
				fault = WrongClock
			}
			r.fail(fault, "log of the other node", "the node gets what this machine sends, and refuses it: %s", m[2])
			return true
		}
	}
	r.fail(Dropped, "log of the other node", "the agent there runs, and in %v of Hellos its log does not mention them: they do not arrive, or its answers do not", patience)
	return true
}

// askHere lets the agent of this machine, which has the port of the node, ping the other node. It returns false if that
// shows a fault: the other node is silent for that port alone.
func (x *examination) askHere(ctx context.Context) bool {
	const step = "agent here"
	r := x.report
	untested := func() {
		r.untested("UDP port %d, which the node of this machine uses: stop the node and repeat, or name the API of its agent with -here", x.Node.Port())
	}
	if x.Here == nil {
		untested()
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	var self api.Self
	if err := x.Here.Get(ctx, "/v1/self", &self); err != nil {
		r.note(step, Unknown, "%v", err)
		untested()
		return true
	}
	if self.Label != x.Label || !x.hasKeyOf(ctx) {
		r.note(step, Unknown, "not asked: the agent here, %q at %s, has another key or label than this examination", self.Member.Name, self.Member.Addr)
		untested()
		return true
	}
	var pong api.PingResponse
	if err := x.Here.Post(ctx, "/v1/ping", api.PingRequest{Addr: x.to.String()}, &pong); err != nil {
		r.fail(Dropped, step, "the other node answers this machine's port %d, and not the agent here, %q at %s: something treats the port of the agent differently (%v)",
			x.line.local(), self.Member.Name, self.Member.Addr, err)
		return false
	}
	r.note(step, OK, "the agent here, %q at %s, gets an answer from the other node in %.2f ms", self.Member.Name, self.Member.Addr, pong.RTT)
	return true
}

// hasKeyOf reports whether the agent here has the primary key of this examination. A key that can be guessed has no
// fingerprint to compare.
func (x *examination) hasKeyOf(ctx context.Context) bool {
	var keys []api.Key
	if err := x.Here.Get(ctx, "/v1/keys", &keys); err != nil {
		return false
	}
	want := gwyh.KeyFingerprint(x.keys()[0])
	return slices.ContainsFunc(keys, func(k api.Key) bool { return k.Fingerprint == want })
}

func (x *examination) log(ctx context.Context) (lines []api.LogLine, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	err = x.Agent.Get(ctx, "/v1/log", &lines)
	return lines, err
}

// compare compares the silence of the port with other answers of the same machine.
func (x *examination) compare(ctx context.Context) {
	r := x.report
	if x.otherPortsAnswer(ctx) {
		r.fail(NoAnswer, "other ports", "other UDP ports of the machine say that they are closed, and this one is silent: either a node there refuses the key or the label of this node, or a firewall drops what this port alone gets or sends, or another program listens there")
		return
	}
	how, err := x.tcp(ctx)
	if how != "" {
		r.fail(Dropped, "other ports", "the machine runs (%s), and none of its UDP ports answers: UDP is dropped on the way there or back", how)
		return
	}
	if udp.NoRoute(err) != nil {
		r.fail(NoRoute, "other ports", "nobody has the address, or a router says that it leads nowhere: %v", udp.NoRoute(err))
		return
	}
	r.fail(Silent, "other ports", "nothing comes from the machine at all, neither from other UDP ports nor by TCP: it may be down, or a firewall drops everything")
}

// otherPortsAnswer reports whether the machine says that another UDP port is closed.
func (x *examination) otherPortsAnswer(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	closed := make(chan bool, 64)
	const ports = 3
	for range ports {
		port := netip.AddrPortFrom(x.to.Addr(), uint16(30000+rand.IntN(20000)))
		if port == x.to {
			continue
		}
		go udp.Knock(ctx, x.Local.Addr(), port, func(err error, _ time.Duration) {
			if errors.Is(err, syscall.ECONNREFUSED) {
				select {
				case closed <- true:
				default:
				}
			}
		})
	}
	select {
	case <-closed:
		return true
	case <-ctx.Done():
		return false
	}
}

// tcp returns how the machine answers TCP at the same port number. If it does not answer, how is empty and err is the
// reason. The system needs about three seconds to find out that no machine of its own network has an address.
func (x *examination) tcp(ctx context.Context) (how string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", x.to.String())
	switch {
	case err == nil:
		_ = c.Close()
		return "it accepts TCP connections", nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refuses TCP connections", nil
	}
	return "", err
}
