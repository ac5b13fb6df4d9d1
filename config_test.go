package gwyh

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPresetsAreValidAsTheyAre(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, preset := range map[string]func() *Config{
		"LAN": DefaultLANConfig, "WAN": DefaultWANConfig, "Local": DefaultLocalConfig,
	} {
		c := preset()
		own, err := c.validate()
		if err != nil {
			t.Fatal(name, err)
		}
		want := preset()
		want.HeartbeatInterval, want.MemoryLimit = want.ProbeInterval, 1152<<20
		if !reflect.DeepEqual(own, want) {
			t.Errorf("%s: validate changed something: %+v", name, own)
		}
		switch {
		case c.Name != host:
			t.Errorf("%s: the name is %v, want %v", name, c.Name, host)
		case c.BindPort != 6969:
			t.Errorf("%s: the port is %v, want 6969", name, c.BindPort)
		case c.BindAddr != "0.0.0.0":
			t.Errorf("%s: c.BindAddr is %q, want %q", name, c.BindAddr, "0.0.0.0")
		case c.Subscriptions != 5:
			t.Errorf("%s: there are %v subscriptions, want 5", name, c.Subscriptions)
		}
		if preset() == c {
			t.Errorf("%s: the same Config twice", name)
		}
	}
}

func TestPresetsDifferAsDocumented(t *testing.T) {
	for _, c := range []struct {
		preset    *Config
		size      int
		heartbeat time.Duration
		gossip    time.Duration
	}{
		{DefaultLANConfig(), 1400, time.Second, 20 * time.Millisecond},
		{DefaultWANConfig(), 1200, 5 * time.Second, 50 * time.Millisecond},
		{DefaultLocalConfig(), 60000, time.Second, 10 * time.Millisecond},
	} {
		p, err := c.preset.validate()
		if err != nil {
			t.Fatal(err)
		}
		if p.UDPBufferSize != c.size || p.HeartbeatInterval != c.heartbeat || p.GossipInterval != c.gossip {
			t.Errorf("%+v, want %+v", p, c)
		}
	}
}

func TestNoPresetAllowsLegacyNodes(t *testing.T) {
	for name, c := range map[string]*Config{"LAN": DefaultLANConfig(), "WAN": DefaultWANConfig(), "Local": DefaultLocalConfig()} {
		if c.AllowLegacy {
			t.Errorf("%s allows nodes of gwyh 0.1", name)
		}
	}
}

func TestZeroTakesTheDefaultOfLAN(t *testing.T) {
	own, err := (&Config{}).validate()
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultLANConfig()
	// Zeros with a meaning, booleans, and fields without a meaning here.
	want.BindAddr, want.BindPort, want.AdvertisePort, want.DNSConfigPath = "", 0, 0, ""
	want.IndirectChecks, want.PushPullInterval, want.GossipInterval, want.QueueCheckInterval = 0, 0, 0, 0
	want.RetransmitMult, want.GossipNodes = 0, 0
	want.HeartbeatInterval, want.MemoryLimit = want.ProbeInterval, 1152<<20
	want.GossipVerifyIncoming, want.GossipVerifyOutgoing, want.EnableCompression = false, false, false
	if !reflect.DeepEqual(own, want) {
		t.Errorf("got  %+v\nwant %+v", own, want)
	}
}

func TestHeartbeatsFollowTheProbeInterval(t *testing.T) {
	for probe, want := range map[time.Duration]time.Duration{time.Second: time.Second, 50 * time.Millisecond: 50 * time.Millisecond,
		time.Millisecond: 10 * time.Millisecond, time.Minute: 30 * time.Second} {
		c := DefaultLANConfig()
		c.ProbeInterval = probe
		own, err := c.validate()
		if err != nil || own.HeartbeatInterval != want {
			t.Errorf("probes every %v: heartbeats every %v, want %v (%v)", probe, own.HeartbeatInterval, want, err)
		}
	}
}

func TestHeartbeatsAreRarerOverATransportWhosePacketsAreLargerThanUDP(t *testing.T) {
	for size, want := range map[int]time.Duration{65507: 5 * time.Second, 65508: 15 * time.Second} {
		c := DefaultLANConfig()
		c.Transport, c.ProbeInterval, c.UDPBufferSize = new(MockNetwork).NewTransport("a"), 5*time.Second, size
		own, err := c.validate()
		if err != nil || own.HeartbeatInterval != want {
			t.Errorf("packets of %d bytes: heartbeats every %v, want %v (%v)", size, own.HeartbeatInterval, want, err)
		}
	}
}

func TestBadValueIsAnErrorWithFieldValueAndBound(t *testing.T) {
	long := strings.Repeat("n", 256)
	for field, c := range map[string]struct {
		set  func(*Config)
		says string
	}{
		"Name":                    {func(c *Config) { c.Name = long }, `"nnnnnnnnnnnnnnnn"... of 256 bytes, want at most 255 bytes`},
		"Label":                   {func(c *Config) { c.Label = long }, "at most 255 bytes"},
		"PreviousLabel = ":        {func(c *Config) { c.PreviousLabel, c.SkipInboundLabelCheck = long, true }, "at most 255 bytes"},
		"PreviousLabel is":        {func(c *Config) { c.PreviousLabel = "old" }, "set without SkipInboundLabelCheck"},
		"Zone":                    {func(c *Config) { c.Zone = long }, "at most 255 bytes"},
		"BindAddr":                {func(c *Config) { c.BindAddr = "10.0.0.300" }, `= "10.0.0.300", want an IP address or a host name`},
		"BindPort":                {func(c *Config) { c.BindPort = 65536 }, "= 65536, want 0 to 65535"},
		"AdvertiseAddr":           {func(c *Config) { c.AdvertiseAddr = "1.2.3" }, `= "1.2.3", want an IP address`},
		"AdvertiseAddr = \"0":     {func(c *Config) { c.AdvertiseAddr = "0.0.0.0" }, "can reach: it is the unspecified address"},
		"AdvertiseAddr = \"2":     {func(c *Config) { c.AdvertiseAddr = "224.0.0.1" }, "a multicast address"},
		"AdvertiseAddr = \"255":   {func(c *Config) { c.AdvertiseAddr = "255.255.255.255" }, "the broadcast address"},
		"AdvertiseAddr = \"fe80":  {func(c *Config) { c.AdvertiseAddr = "fe80::1" }, "a link-local IPv6 address"},
		"Name = \"a":              {func(c *Config) { c.Name = "a\nb" }, `"a\nb", want UTF-8 without control characters`},
		"Name = \"\\xff":          {func(c *Config) { c.Name = "\xff" }, "want UTF-8"},
		"Zone = \"\\u0085":        {func(c *Config) { c.Zone = "\u0085" }, "want UTF-8"},
		"DelegateProtocolMin":     {func(c *Config) { c.DelegateProtocolMin, c.DelegateProtocolMax = 3, 2 }, "= 3, want at most DelegateProtocolMax = 2"},
		"AdvertisePort":           {func(c *Config) { c.AdvertisePort = -1 }, "= -1, want 0 to 65535"},
		"ProtocolVersion":         {func(c *Config) { c.ProtocolVersion = 6 }, "= 6, want 1 to 5"},
		"TCPTimeout":              {func(c *Config) { c.TCPTimeout = -1 }, "= -1ns, want no negative duration"},
		"IndirectChecks":          {func(c *Config) { c.IndirectChecks = 65 }, "0 to 64"},
		"SuspicionMult":           {func(c *Config) { c.SuspicionMult = -1 }, "1 to 1000"},
		"SuspicionMaxTimeoutMult": {func(c *Config) { c.SuspicionMaxTimeoutMult = 1001 }, "1 to 1000"},
		"PushPullInterval":        {func(c *Config) { c.PushPullInterval = -time.Second }, "= -1s, want no negative duration"},
		"ProbeInterval":           {func(c *Config) { c.ProbeInterval = -1 }, "no negative duration"},
		"ProbeTimeout":            {func(c *Config) { c.ProbeTimeout = -1 }, "no negative duration"},
		"HeartbeatInterval":       {func(c *Config) { c.HeartbeatInterval = 9 * time.Millisecond }, "= 9ms, want 10ms to 30s"},
		"AwarenessMaxMultiplier":  {func(c *Config) { c.AwarenessMaxMultiplier = -2 }, "1 to 1000"},
		"GossipInterval":          {func(c *Config) { c.GossipInterval = -1 }, "no negative duration"},
		"BeaconInterval":          {func(c *Config) { c.BeaconInterval = 100 * time.Millisecond }, "= 100ms, want 1s to 5m, or 0 for no beacons"},
		"RebroadcastWindow":       {func(c *Config) { c.RebroadcastWindow = time.Minute }, "= 1m0s, want at most 30s"},
		"GossipToTheDeadTime":     {func(c *Config) { c.GossipToTheDeadTime = -1 }, "no negative duration"},
		"DeadNodeReclaimTime":     {func(c *Config) { c.DeadNodeReclaimTime = -1 }, "no negative duration"},
		"Subscriptions":           {func(c *Config) { c.Subscriptions = 65 }, "= 65, want 1 to 64"},
		"MetaMax":                 {func(c *Config) { c.Name, c.MetaMax = "n", 1400 }, "= 1400, want 1 to 1179"},
		"DistributionStrategy":    {func(c *Config) { c.DistributionStrategy = 5 }, "= 5, want one of"},
		"HandoffQueueDepth":       {func(c *Config) { c.HandoffQueueDepth = 1<<20 + 1 }, "1 to 1048576"},
		"MemoryLimit":             {func(c *Config) { c.MemoryLimit = 1 << 20 }, "= 1048576, want 1006632960 to 68719476736"},
		"UDPBufferSize":           {func(c *Config) { c.UDPBufferSize = 1199 }, "= 1199, want 1200 to 65507"},
		"QueueCheckInterval":      {func(c *Config) { c.QueueCheckInterval = -1 }, "no negative duration"},
		"LogOutput": {func(c *Config) { c.LogOutput, c.Logger = &bytes.Buffer{}, log.Default() },
			"LogOutput and Logger are both set"},
		"LogHandler": {func(c *Config) { c.LogHandler, c.Logger = slog.DiscardHandler, log.Default() },
			"LogHandler is set beside"},
	} {
		conf := DefaultLANConfig()
		c.set(conf)
		own, err := conf.validate()
		switch {
		case own != nil:
			t.Errorf("%s: own is %v, want nil", field, own)
		case err == nil:
			t.Errorf("%s: there is no error", field)
		case !strings.Contains(err.Error(), field):
			t.Errorf("%s: err lacks %q:\n%v", field, field, err)
		case !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: err lacks %q:\n%v", field, c.says, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), ";\n") {
			t.Errorf("%s: more than one complaint: %v", field, err)
		}
	}
}

func TestSeveralBadValuesAreOneError(t *testing.T) {
	c := DefaultLANConfig()
	c.BindPort, c.Subscriptions, c.SecretKey = -5, 100, []byte("very secret")
	_, err := c.validate()
	want := "bad Config: BindPort = -5, want 0 to 65535; Subscriptions = 100, want 1 to 64"
	if err == nil || err.Error() != want {
		t.Fatalf("%v\nwant %s", err, want)
	}
}

func TestBoundsThemselvesAreGood(t *testing.T) {
	for _, set := range []func(*Config){
		func(c *Config) { c.Name, c.Label, c.Zone = bytes255(), bytes255(), bytes255() },
		func(c *Config) { c.BindPort, c.AdvertisePort = 65535, 65535 },
		func(c *Config) { c.UDPBufferSize = 65507 },
		func(c *Config) { c.HeartbeatInterval = 10 * time.Millisecond },
		func(c *Config) { c.HeartbeatInterval = 30 * time.Second },
		func(c *Config) { c.BeaconInterval = time.Second },
		func(c *Config) { c.BeaconInterval = 5 * time.Minute },
		func(c *Config) { c.Subscriptions = 64 },
		func(c *Config) { c.UDPBufferSize, c.MetaMax = 60000, 32768 },
		func(c *Config) { c.UDPBufferSize, c.Name, c.Zone, c.MetaMax = 1200, bytes255(), bytes255(), 512 },
		func(c *Config) { c.DistributionStrategy = PreferRemote },
		func(c *Config) { c.BindAddr, c.AdvertiseAddr = "::1", "2001:db8::1" },
		func(c *Config) { c.BindAddr = "localhost" },
		func(c *Config) { c.Name, c.Zone = "Knoten 1, Zürich", "区域-1" },
		func(c *Config) {
			c.DelegateProtocolMin, c.DelegateProtocolMax, c.DelegateProtocolVersion = 2, 2, 2
		},
		func(c *Config) { c.GossipNodes, c.RetransmitMult = -1, -1 },
	} {
		c := DefaultLANConfig()
		set(c)
		if _, err := c.validate(); err != nil {
			t.Error(err)
		}
	}
}

func bytes255() string { return strings.Repeat("k", 255) }

func TestTransportOfOnesOwnMayTakeLargerDatagramsAndOtherAddresses(t *testing.T) {
	c := DefaultLANConfig()
	c.Transport = new(MockNetwork).NewTransport("x")
	c.BindAddr, c.AdvertiseAddr, c.UDPBufferSize = "node-1", "example.org", 10<<20
	if _, err := c.validate(); err != nil {
		t.Fatal(err)
	}
	c.UDPBufferSize = 16<<20 + 1
	if _, err := c.validate(); err == nil {
		t.Fatal("no bound")
	}
}

func TestValidateNeverWritesToTheCallersConfig(t *testing.T) {
	c := &Config{SecretKey: testKey(16, 1), CIDRsAllowed: []net.IPNet{{}}, Label: "l", AllowLegacy: true}
	own, err := c.validate()
	if err != nil {
		t.Fatal(err)
	}
	if own.AllowLegacy {
		t.Error("a label admits legacy nodes")
	}
	own.SecretKey[0], own.CIDRsAllowed[0].IP = 9, net.IPv4zero
	want := &Config{SecretKey: testKey(16, 1), CIDRsAllowed: []net.IPNet{{}}, Label: "l", AllowLegacy: true}
	if !reflect.DeepEqual(c, want) {
		t.Fatalf("%+v", c)
	}
	if _, err := (*Config)(nil).validate(); err == nil {
		t.Fatal("a nil Config is good")
	}
}

func TestVersionArrayIsInMemberlistsOrder(t *testing.T) {
	c := &Config{ProtocolVersion: 3, DelegateProtocolMin: 4, DelegateProtocolMax: 6, DelegateProtocolVersion: 5}
	if got := fmt.Sprint(c.BuildVsnArray()); got != "[1 5 3 4 6 5]" {
		t.Fatal(got)
	}
}

func TestEncryptionIsEnabledByAKeyOfOnesOwn(t *testing.T) {
	empty, _ := NewKeyring(nil, nil)
	for name, c := range map[string]struct {
		conf Config
		want bool
	}{
		"nothing":  {Config{}, false},
		"empty":    {Config{Keyring: empty}, false},
		"a ring":   {Config{Keyring: testRing(t, testKey(16, 1))}, true},
		"a secret": {Config{SecretKey: []byte("hunter2")}, true},
	} {
		if got := c.conf.EncryptionEnabled(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNetworksAllowTheirOwn(t *testing.T) {
	nets, err := ParseCIDRs([]string{"10.0.0.0/8", " 2001:db8::/32 "})
	if err != nil || len(nets) != 2 {
		t.Fatal(nets, err)
	}
	c := &Config{CIDRsAllowed: nets}
	for ip, want := range map[string]bool{"10.1.2.3": true, "11.1.2.3": false, "2001:db8::1": true, "::1": false} {
		if err := c.IPAllowed(net.ParseIP(ip)); (err == nil) != want {
			t.Errorf("%s: %v", ip, err)
		}
	}
	if !c.IPMustBeChecked() {
		t.Error("nothing to check")
	}
	for _, all := range []*Config{{}, {CIDRsAllowed: []net.IPNet{}}} {
		if all.IPMustBeChecked() || all.IPAllowed(net.IPv4(1, 2, 3, 4)) != nil {
			t.Error("no networks are not all networks")
		}
	}
}

func TestParseCIDRsKeepsTheGoodAndNamesTheBad(t *testing.T) {
	nets, err := ParseCIDRs([]string{"10.0.0.0/33", "10.0.0.0/8", "x"})
	if err == nil || !strings.Contains(err.Error(), `"10.0.0.0/33"`) || !strings.Contains(err.Error(), `"x"`) {
		t.Error(err)
	}
	if len(nets) != 1 || nets[0].String() != "10.0.0.0/8" {
		t.Error(nets)
	}
	if nets, err := ParseCIDRs(nil); nets == nil || err != nil {
		t.Error(nets, err)
	}
}

func TestDefaultPortIsThePortOfThePresets(t *testing.T) {
	before := DefaultPort
	defer func() { DefaultPort = before }()
	DefaultPort = 7946
	for name, preset := range map[string]func() *Config{
		"LAN": DefaultLANConfig, "WAN": DefaultWANConfig, "Local": DefaultLocalConfig,
	} {
		if c := preset(); c.BindPort != 7946 || c.AdvertisePort != 7946 {
			t.Errorf("%s: ports %d and %d", name, c.BindPort, c.AdvertisePort)
		}
	}
}

// gubernator sets AdvertisePort and leaves BindPort to the preset.
func TestProgramThatSetsHalfOfThePortsFormsAClusterWithDefaultPort(t *testing.T) {
	free := newNetTransport(t, "127.0.0.1", "127.0.0.2")
	port := free.GetAutoBindPort()
	if err := free.Shutdown(); err != nil {
		t.Fatal(err)
	}
	before := DefaultPort
	defer func() { DefaultPort = before }()
	DefaultPort = port
	node := func(addr string) *Memberlist {
		c := DefaultLANConfig()
		c.Name, c.BindAddr, c.SecretKey, c.LogOutput = addr, addr, []byte("sixteen byte key"), io.Discard
		c.AdvertiseAddr, c.AdvertisePort = addr, port
		return create(t, c)
	}
	a, b := node("127.0.0.1"), node("127.0.0.2")
	if n, err := b.Join([]string{"127.0.0.1"}); n != 1 || err != nil {
		t.Fatalf("Join = %d, %v", n, err)
	}
	if got := a.NumMembers(); got != 2 {
		t.Errorf("%d members", got)
	}
}

// ports are the ports of a Config, in the order bind, advertise.
type ports [2]int

func TestPortsThatWereSetStayAndOthersAreWrittenBack(t *testing.T) {
	const set, bound = 4444, -1 // bound: the port that the system picked
	for name, c := range map[string]struct {
		addr             string
		before, after    ports
		advertised, bind int
	}{
		"nothing set":                         {"", ports{0, 0}, ports{bound, bound}, bound, bound},
		"the preset's AdvertisePort":          {"", ports{0, DefaultPort}, ports{bound, bound}, bound, bound},
		"a port that is not used":             {"", ports{0, set}, ports{bound, set}, bound, bound},
		"address, nothing set":                {"127.0.0.77", ports{0, 0}, ports{bound, bound}, bound, bound},
		"address, the preset's AdvertisePort": {"127.0.0.77", ports{0, DefaultPort}, ports{bound, bound}, bound, bound},
		"address and AdvertisePort":           {"127.0.0.77", ports{0, set}, ports{bound, set}, set, bound},
	} {
		conf := testConfig("a", nil)
		conf.AdvertiseAddr, conf.BindPort, conf.AdvertisePort = c.addr, c.before[0], c.before[1]
		m := create(t, conf)
		port := m.config.BindPort
		for i, want := range c.after {
			if want == bound {
				c.after[i] = port
			}
		}
		if c.advertised == bound {
			c.advertised = port
		}
		if got := (ports{conf.BindPort, conf.AdvertisePort}); got != c.after {
			t.Errorf("%s: ports %v, want %v", name, got, c.after)
		}
		if got := int(m.LocalNode().Port); got != c.advertised {
			t.Errorf("%s: advertises %d, want %d", name, got, c.advertised)
		}
	}
}

func TestPortsOfWhichOneWasSetDrawAWarning(t *testing.T) {
	const set = 7946
	for name, c := range map[string]struct {
		addr  string
		ports ports
		warns string
	}{
		"the presets":                 {"", ports{DefaultPort, DefaultPort}, ""},
		"the presets and an address":  {"192.0.2.1", ports{DefaultPort, DefaultPort}, ""},
		"both set":                    {"192.0.2.1", ports{set, set}, ""},
		"both set, forwarded":         {"192.0.2.1", ports{8000, set}, ""},
		"BindPort alone":              {"", ports{set, DefaultPort}, ""},
		"a free port":                 {"192.0.2.1", ports{0, DefaultPort}, ""},
		"a free port, forwarded":      {"192.0.2.1", ports{0, set}, ""},
		"the bound port":              {"192.0.2.1", ports{set, 0}, ""},
		"AdvertisePort of gubernator": {"192.0.2.1", ports{DefaultPort, set}, "AdvertisePort = 7946, but BindPort = 6969 is the default"},
		"BindPort with an address":    {"192.0.2.1", ports{set, DefaultPort}, "BindPort = 7946, but AdvertisePort = 6969 is the default"},
		"AdvertisePort alone":         {"", ports{DefaultPort, set}, "AdvertisePort = 7946 is not used"},
	} {
		conf := DefaultLANConfig()
		conf.AdvertiseAddr, conf.BindPort, conf.AdvertisePort = c.addr, c.ports[0], c.ports[1]
		got := strings.Join(conf.warnings(), "\n")
		if (got == "") != (c.warns == "") || !strings.Contains(got, c.warns) {
			t.Errorf("%s: %q, want %q", name, got, c.warns)
		}
		conf.Transport = new(MockNetwork).NewTransport("x")
		if got := conf.warnings(); len(got) > 0 {
			t.Errorf("%s with a Transport: %q", name, got)
		}
	}
}

func TestApplicationVersionOutsideOfItsRangeDrawsAWarning(t *testing.T) {
	for version, want := range map[uint8]bool{1: true, 2: false, 4: false, 5: true} {
		c := DefaultLANConfig()
		c.DelegateProtocolMin, c.DelegateProtocolMax, c.DelegateProtocolVersion = 2, 4, version
		if got := c.warnings(); (len(got) == 1) != want {
			t.Errorf("version %d: %q", version, got)
		}
	}
}

func TestCreateLogsTheWarnings(t *testing.T) {
	var out bytes.Buffer
	c := testConfig("a", nil)
	c.LogOutput, c.AdvertisePort = &out, 4444
	if err := create(t, c).Shutdown(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "[WARN] gwyh: AdvertisePort = 4444 is not used") {
		t.Errorf("%q", out.String())
	}
}
