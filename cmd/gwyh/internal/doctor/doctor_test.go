package doctor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/hashicorp/memberlist"
)

var key = []byte("0123456789abcdefghijklmnopqrstuv")

// node starts a node on loopback with a changed configuration, and returns its address.
func node(t *testing.T, change func(*gwyh.Config)) string {
	t.Helper()
	c := gwyh.DefaultLocalConfig()
	c.Name, c.BindAddr, c.BindPort, c.SecretKey, c.LogOutput = "ann", "127.0.0.1", 0, key, io.Discard
	change(c)
	m, err := gwyh.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	return m.LocalNode().Address()
}

// expect examines an address and checks the fault and the text of a step.
func expect(t *testing.T, c Config, fault *Fault, text string) *Report {
	t.Helper()
	if c.Keys == nil {
		c.Keys = [][]byte{key}
	}
	r := Examine(t.Context(), &c)
	if (r.Fault == nil) != (fault == nil) || fault != nil && r.Fault.Name != fault.Name {
		t.Errorf("fault %+v, want %+v\n%s", r.Fault, fault, steps(r))
	}
	if !regexp.MustCompile(text).MatchString(steps(r)) {
		t.Errorf("%s\nlacks %q", steps(r), text)
	}
	return r
}

func steps(r *Report) (text string) {
	for _, s := range r.Steps {
		text += fmt.Sprintf("%s %s: %s\n", s.Outcome, s.Name, s.Text)
	}
	return text
}

func unchanged(*gwyh.Config) {}

func TestNodeThatCanBeJoinedHasNoFault(t *testing.T) {
	t.Parallel()
	r := expect(t, Config{Target: node(t, unchanged)}, nil, `(?s)ok clock: the clocks agree.*ok session: the node is "ann" at .*ok path: datagrams of \d+ bytes.*ok join: joined, .* 2 members.*ok links: members that exchange broadcasts with this node: 1`)
	for _, s := range r.Steps {
		if s.Outcome != OK {
			t.Errorf("%+v", s)
		}
	}
}

// A node counts each handshake that it refuses, and its operator gets warnings.
func TestNodeThatCanBeJoinedRefusesNothing(t *testing.T) {
	t.Parallel()
	c := gwyh.DefaultLocalConfig()
	c.Name, c.BindAddr, c.BindPort, c.SecretKey, c.LogOutput = "ann", "127.0.0.1", 0, key, io.Discard
	m, err := gwyh.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Shutdown() }()
	expect(t, Config{Target: m.LocalNode().Address()}, nil, "ok clock: the clocks agree")
	for _, r := range m.Status().Refusals {
		if r.Count > 0 {
			t.Errorf("%d handshakes refused: %s", r.Count, r.Reason)
		}
	}
	if w := m.Status().Warnings; len(w) > 0 {
		t.Errorf("warnings: %+v", w)
	}
}

func TestOneOfSeveralKeysIsEnough(t *testing.T) {
	t.Parallel()
	expect(t, Config{Target: node(t, unchanged), Keys: [][]byte{[]byte("another key of 32 bytes for them"), key}, NoJoin: true}, nil, "with the fingerprint "+gwyh.KeyFingerprint(key))
}

func TestNameWithoutAnAddressIsNamed(t *testing.T) {
	t.Parallel()
	expect(t, Config{Target: "no-such-host.invalid:1"}, &NoAddress, "no-such-host.invalid")
	expect(t, Config{Target: "127.0.0.1:no-such-port"}, &NoAddress, "no-such-port")
}

func TestSilenceOfOnePortNamesKeyLabelAndFirewall(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{
		{Target: node(t, unchanged), Keys: [][]byte{[]byte("another key of 32 bytes for them")}},
		{Target: node(t, func(c *gwyh.Config) { c.Label = "staging" }), Label: "prod"},
	} {
		r := expect(t, c, &NoAnswer, "refuses the key or the label of this node, or a firewall drops")
		for _, cause := range []string{"key", "label", "firewall"} {
			if r.Fault != nil && !strings.Contains(r.Fault.Advice, cause) {
				t.Errorf("the advice does not name the %s: %s", cause, r.Fault.Advice)
			}
		}
	}
}

func TestPortOfBindThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	expect(t, Config{Target: node(t, unchanged), Local: taken.LocalAddr().(*net.UDPAddr).AddrPort()}, &NoBind, "failed socket: .*in use")
}

func TestKeyInAnotherNotationIsNamed(t *testing.T) {
	t.Parallel()
	encoded := []byte("MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=")
	expect(t, Config{Target: node(t, func(c *gwyh.Config) { c.SecretKey = encoded })}, &WrongKey, "the same key in another notation")
	expect(t, Config{Target: node(t, unchanged), Keys: [][]byte{encoded}}, &WrongKey, "the same key in another notation")
}

func TestNodeWithoutAKeyIsNamed(t *testing.T) {
	t.Parallel()
	expect(t, Config{Target: node(t, func(c *gwyh.Config) { c.SecretKey = nil })}, &WrongKey, "the node has no key")
}

func TestWrongLabelIsNamed(t *testing.T) {
	t.Parallel()
	expect(t, Config{Target: node(t, unchanged), Label: "prod"}, &WrongLabel, `the node has no label, and this one has "prod"`)
	at := node(t, func(c *gwyh.Config) { c.Label = "staging" })
	expect(t, Config{Target: at, Label: "prod", Labels: []string{"test", "staging"}}, &WrongLabel, `answers under the label "staging", and this one has "prod"`)
}

func TestClockThatIsOffIsNamedWithTheDifference(t *testing.T) {
	t.Parallel()
	at := node(t, unchanged)
	for off, want := range map[time.Duration]string{
		-90 * time.Second: `of the other node is 1m(2[5-9]|3[0-5])(\.5)?s ahead`, 90 * time.Second: `of the other node is 1m(2[5-9]|3[0-5])(\.5)?s behind`,
		-2 * time.Hour: `of the other node is (1h59m5[5-9](\.5)?s|2h0m[0-5](\.5)?s) ahead`,
	} {
		expect(t, Config{Target: at, clock: func() time.Time { return time.Now().Add(off) }}, &WrongClock, want)
	}
	// A difference within the bound is not a fault.
	expect(t, Config{Target: at, NoJoin: true, clock: func() time.Time { return time.Now().Add(-30 * time.Second) }}, nil, `warning clock: .* (2[5-9]|3[0-5])(\.5)?s ahead`)
}

func TestClosedPortIsNamed(t *testing.T) {
	t.Parallel()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := c.LocalAddr().String()
	_ = c.Close()
	expect(t, Config{Target: at}, &ClosedPort, "nothing listens at UDP port")
}

func TestNodeOfMemberlistIsNamed(t *testing.T) {
	t.Parallel()
	c := memberlist.DefaultLocalConfig()
	c.BindAddr, c.BindPort, c.AdvertisePort, c.LogOutput = "127.0.0.1", 0, 0, io.Discard
	m, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Shutdown() }()
	expect(t, Config{Target: m.LocalNode().Address()}, &NotGwyh, "a memberlist node is there")
}

func TestAnotherProgramIsNamed(t *testing.T) {
	t.Parallel()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	go func() {
		b := make([]byte, 65536)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo([]byte("what?"), from)
		}
	}()
	expect(t, Config{Target: c.LocalAddr().String()}, &NotGwyh, "another program answers")
}

type veto struct{ err error }

func (v veto) NotifyMerge([]*gwyh.Node) error { return v.err }

type vetoOfOthers struct{ err error }

func (v vetoOfOthers) NotifyAlive(n *gwyh.Node) error {
	if n.Name == "ann" {
		return nil
	}
	return v.err
}

func TestRefusalIsNamedWithItsReason(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*gwyh.Config){
		"not on a Sunday": func(c *gwyh.Config) { c.Merge = veto{errors.New("not on a Sunday")} },
		"not one of us":   func(c *gwyh.Config) { c.Alive = vetoOfOthers{errors.New("not one of us")} },
		"versions": func(c *gwyh.Config) {
			c.DelegateProtocolVersion, c.DelegateProtocolMin, c.DelegateProtocolMax = 3, 2, 4
		},
		"metadata of 800 byt": unchanged,
		"127.0.0.1":           func(c *gwyh.Config) { c.CIDRsAllowed, _ = gwyh.ParseCIDRs([]string{"10.0.0.0/8"}) },
	} {
		c := Config{Target: node(t, change)}
		if want == "metadata of 800 byt" {
			c.Meta = 800
		}
		expect(t, c, &Refused, "failed join: .*"+want)
	}
}

func TestGuideListsEveryFaultWithItsCode(t *testing.T) {
	guide, err := os.ReadFile("../../../../docs/AGENT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Faults {
		if !strings.Contains(string(guide), fmt.Sprintf("| %d | `%s` |", f.Code, f.Name)) {
			t.Errorf("docs/AGENT.md does not list %d, %s", f.Code, f.Name)
		}
	}
}

func TestFaultsHaveCodesOfTheirOwn(t *testing.T) {
	var codes []int
	for _, f := range Faults {
		if f.Code < 10 || f.Name == "" || f.Advice == "" {
			t.Errorf("%+v", f)
		}
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	if len(slices.Compact(codes)) != len(Faults) {
		t.Errorf("%v", codes)
	}
}

func TestTriesCoverEveryClockUpToAnHour(t *testing.T) {
	for off := -time.Hour; off <= time.Hour; off += time.Second {
		near := func(s time.Duration) bool { return (s - off).Abs() <= clockMax }
		if off.Abs() > clockMax && !slices.ContainsFunc(shifts(), near) {
			t.Fatalf("no try for %v", off)
		}
	}
}

func TestGuessesSendFewHellosToANodeThatRefusesThem(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	at := silent.LocalAddr().(*net.UDPAddr).AddrPort()
	l, err := open(netip.AddrPort{}, at, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	x := &examination{Config: &Config{Keys: [][]byte{key}}, report: &Report{}, to: at, line: l}
	guesses := x.guesses()[:3]
	_, _ = l.shake(t.Context(), []try{guesses[0].try, guesses[1].try, guesses[2].try}, guessHellos, 600*time.Millisecond, true)
	hellos := 0
	for b := make([]byte, 2048); silent.SetReadDeadline(time.Now().Add(50*time.Millisecond)) == nil; hellos++ {
		if _, _, err := silent.ReadFrom(b); err != nil {
			break
		}
	}
	if want := len(guesses) * guessHellos; hellos != want {
		t.Errorf("%d Hellos for %d guesses, want %d", hellos, len(guesses), want)
	}
	if n := len(x.guesses()) * guessHellos; n > 250 {
		t.Errorf("all guesses take %d Hellos", n)
	}
}

func TestUserSeesOnceTheTriesThatTheNodeLogs(t *testing.T) {
	t.Parallel()
	r := expect(t, Config{Target: node(t, unchanged), clock: func() time.Time { return time.Now().Add(-2 * time.Hour) }}, &WrongClock, `ok tries: .* its log may have "handshake with \.\.\.:\d+ refused"`)
	if n := strings.Count(steps(r), " tries: "); n != 1 {
		t.Errorf("the user is told %d times:\n%s", n, steps(r))
	}
}

func TestPortsOfPacketsAreRead(t *testing.T) {
	v4 := append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, 0x1b, 0x39, 0x00, 0x35, 0, 8, 0, 0)
	v6 := make([]byte, 48)
	v6[0], v6[6], v6[23], v6[40], v6[41], v6[43] = 0x60, 17, 1, 0x1b, 0x39, 0x35
	for want, b := range map[string][]byte{"10.0.0.1:6969": v4, "[::1]:6969": v6} {
		if from, to, ok := udpPorts(b); !ok || from != netip.MustParseAddrPort(want) || to != 53 {
			t.Errorf("%v, %d, %v, want %s", from, to, ok, want)
		}
		for n := range b[:len(b)-4] {
			if _, _, ok := udpPorts(b[:n]); ok {
				t.Errorf("%s: %d bytes are enough", want, n)
			}
		}
	}
	tcp := slices.Clone(v4)
	tcp[9] = 6
	if _, _, ok := udpPorts(tcp); ok {
		t.Error("TCP is taken for UDP")
	}
}
