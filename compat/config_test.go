package compat

import (
	"log"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// refused returns the error of Create.
func refused(t *testing.T, change func(*memberlist.Config)) error {
	t.Helper()
	conf := memberlist.DefaultLANConfig()
	conf.Name, conf.BindAddr, conf.BindPort, conf.LogOutput = "a", "127.0.0.1", 0, &safeBuffer{}
	change(conf)
	m, err := memberlist.Create(conf)
	if err == nil {
		_ = m.Shutdown()
	}
	return err
}

func TestPresetsAreThoseOfMemberlist(t *testing.T) {
	type preset struct {
		probe, probeTimeout, pushPull, tcp, dead time.Duration
		suspicion, maxSuspicion, indirect        int
		retransmit, awareness, handoff           int
	}
	get := func(c *memberlist.Config) preset {
		return preset{c.ProbeInterval, c.ProbeTimeout, c.PushPullInterval, c.TCPTimeout, c.GossipToTheDeadTime,
			c.SuspicionMult, c.SuspicionMaxTimeoutMult, c.IndirectChecks, c.RetransmitMult, c.AwarenessMaxMultiplier, c.HandoffQueueDepth}
	}
	ms, s := time.Millisecond, time.Second
	for name, p := range map[string]struct{ got, want preset }{
		"LAN":   {get(memberlist.DefaultLANConfig()), preset{s, 500 * ms, 30 * s, 10 * s, 30 * s, 4, 6, 3, 4, 8, 1024}},
		"WAN":   {get(memberlist.DefaultWANConfig()), preset{5 * s, 3 * s, 60 * s, 30 * s, 60 * s, 6, 6, 3, 4, 8, 1024}},
		"Local": {get(memberlist.DefaultLocalConfig()), preset{s, 200 * ms, 15 * s, s, 15 * s, 3, 6, 1, 2, 8, 1024}},
	} {
		if p.got != p.want {
			t.Errorf("%s: %+v, want %+v", name, p.got, p.want)
		}
	}
}

func TestPresetsHaveValuesOfTheirOwnWhereTheyHaveAnotherMeaning(t *testing.T) {
	lan, wan, local := memberlist.DefaultLANConfig(), memberlist.DefaultWANConfig(), memberlist.DefaultLocalConfig()
	same(t, "port", lan.BindPort, differs(t, "port", 7946, 6969))
	same(t, "GossipInterval", []time.Duration{lan.GossipInterval, wan.GossipInterval, local.GossipInterval},
		differs(t, "gossip-interval", []time.Duration{200e6, 500e6, 100e6}, []time.Duration{20e6, 50e6, 10e6}))
	same(t, "UDPBufferSize", []int{lan.UDPBufferSize, wan.UDPBufferSize, local.UDPBufferSize},
		differs(t, "datagram-size", []int{1400, 1400, 1400}, []int{1400, 1200, 60000}))
}

func TestProtocolVersionAboveTheRangeIsRefused(t *testing.T) {
	if err := refused(t, func(c *memberlist.Config) { c.ProtocolVersion = memberlist.ProtocolVersionMax + 1 }); err == nil {
		t.Error("taken")
	}
}

func TestZeroMeansTheDefault(t *testing.T) {
	err := refused(t, func(c *memberlist.Config) { c.ProtocolVersion = 0 })
	same(t, "refused", err != nil, differs(t, "zero-fields", true, false))
}

func TestLogOutputTogetherWithLoggerIsRefused(t *testing.T) {
	if err := refused(t, func(c *memberlist.Config) { c.Logger = log.New(&safeBuffer{}, "", 0) }); err == nil {
		t.Error("taken")
	}
}

func TestLabelAbove255BytesIsRefused(t *testing.T) {
	if err := refused(t, func(c *memberlist.Config) { c.Label = strings.Repeat("l", memberlist.LabelMaxSize+1) }); err == nil {
		t.Error("taken")
	}
	if err := refused(t, func(c *memberlist.Config) { c.Label = strings.Repeat("l", memberlist.LabelMaxSize) }); err != nil {
		t.Error(err)
	}
}

func TestBindAddrThatIsNeitherAnAddressNorAHostName(t *testing.T) {
	err := refused(t, func(c *memberlist.Config) { c.BindAddr = "10.0.0.300" })
	same(t, "refused", err != nil, differs(t, "bind-address", false, true))
}

// dragonboat documents host names as bind addresses, and pilosa uses localhost by default.
func TestHostNameAsBindAddrIsListenedOn(t *testing.T) {
	a := loopback(t, "a", func(c *memberlist.Config) { c.BindAddr = "localhost" })
	// memberlist listens on all addresses and advertises none of them.
	same(t, "advertised", a.LocalNode().Addr.IsLoopback(), differs(t, "bind-address", false, true))
	at := net.JoinHostPort("localhost", strconv.Itoa(int(a.LocalNode().Port)))
	b := loopback(t, "b", func(c *memberlist.Config) { c.BindAddr = "localhost" })
	reached, err := b.Join([]string{at})
	same(t, "reached by the name", []any{reached > 0, err}, []any{true, error(nil)})
}

func TestSecretKeyOfAnyLength(t *testing.T) {
	err := refused(t, func(c *memberlist.Config) { c.SecretKey = []byte("a key of some other length") })
	same(t, "refused", err != nil, differs(t, "key-length", true, false))
}

func TestAdvertiseAddrThatNoNodeCanHave(t *testing.T) {
	for _, addr := range []string{"0.0.0.0", "224.0.0.1", "255.255.255.255"} {
		err := refused(t, func(c *memberlist.Config) { c.AdvertiseAddr = addr })
		same(t, addr+" refused", err != nil, differs(t, "unreachable-address", false, true))
	}
}

func TestNameWithAControlCharacter(t *testing.T) {
	err := refused(t, func(c *memberlist.Config) { c.Name = "a\nb" })
	same(t, "refused", err != nil, differs(t, "printable-names", false, true))
}

func TestApplicationVersionsTheWrongWayRound(t *testing.T) {
	err := refused(t, func(c *memberlist.Config) { c.DelegateProtocolMin, c.DelegateProtocolMax = 3, 2 })
	same(t, "refused", err != nil, differs(t, "version-range", false, true))
}

func TestDNSConfigPathMayBeEmpty(t *testing.T) {
	if err := refused(t, func(c *memberlist.Config) { c.DNSConfigPath = "" }); err != nil {
		t.Error(err)
	}
}

func TestEncryptionIsEnabledByKeys(t *testing.T) {
	c := memberlist.DefaultLANConfig()
	same(t, "without keys", c.EncryptionEnabled(), false)
	c.Keyring, _ = memberlist.NewKeyring(nil, nil)
	same(t, "with an empty Keyring", c.EncryptionEnabled(), false)
	c.Keyring, _ = memberlist.NewKeyring(nil, key)
	same(t, "with a Keyring", c.EncryptionEnabled(), true)
}

func TestSecretKeyAloneEnablesEncryption(t *testing.T) {
	c := memberlist.DefaultLANConfig()
	c.SecretKey = key
	same(t, "before Create", c.EncryptionEnabled(), differs(t, "encryption-enabled", false, true))
}

func TestCIDRsAllowedLetsInItsNetworksOnly(t *testing.T) {
	c := memberlist.DefaultLANConfig()
	ip := net.ParseIP("192.168.1.1")
	same(t, "nil", []any{c.IPMustBeChecked(), c.IPAllowed(ip)}, []any{false, error(nil)})
	nets, err := memberlist.ParseCIDRs([]string{" 10.0.0.0/8 ", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	c.CIDRsAllowed = nets
	same(t, "must be checked", c.IPMustBeChecked(), true)
	same(t, "another network", c.IPAllowed(ip) != nil, true)
	same(t, "listed", c.IPAllowed(net.ParseIP("10.1.2.3")), error(nil))
	same(t, "listed IPv6", c.IPAllowed(net.ParseIP("2001:db8::7")), error(nil))
}

func TestParseCIDRsNamesTheBadAndReturnsTheGood(t *testing.T) {
	nets, err := memberlist.ParseCIDRs([]string{"10.0.0.0/8", "nonsense"})
	switch {
	case err == nil:
		t.Error("there is no error")
	case !strings.Contains(err.Error(), "nonsense"):
		t.Errorf("err lacks %q:\n%v", "nonsense", err)
	case len(nets) != 1:
		t.Errorf("len(nets) is %d, want 1: %v", len(nets), nets)
	case nets[0].String() != "10.0.0.0/8":
		t.Errorf("nets[0].String() is %q, want %q", nets[0].String(), "10.0.0.0/8")
	}
	nets, err = memberlist.ParseCIDRs(nil)
	if nets == nil || len(nets) != 0 || err != nil {
		t.Errorf("of nil: %v, %v", nets, err)
	}
}
