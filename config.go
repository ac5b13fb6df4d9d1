package gwyh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/node"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/resolve"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Versions of memberlist's protocol, which programs compare. What gwyh's nodes understand of each
// other they settle in their handshakes. Only the least has a type, as in memberlist.
const ProtocolVersionMin uint8 = 1
const (
	ProtocolVersion2Compatible = 2
	ProtocolVersionMax         = 5
)

// DefaultPort is the UDP port of the presets: the BindPort and AdvertisePort of every Config that they
// return. A program that is to have another port in all its Configs sets DefaultPort once, before it
// makes the first of them, as in an init function: `gwyh.DefaultPort = 7946`. 1 to 65535.
var DefaultPort = 6969

const (
	// MetaMaxSize is the most bytes that Delegate.NodeMeta may return, unless Config.MetaMax says otherwise.
	MetaMaxSize = 512
	// LabelMaxSize is the most bytes of a Label.
	LabelMaxSize = 255
)

// CompressionAlgorithm names an algorithm of Config.CompressionAlgorithm. It exists for programs of Grafana's fork
// of memberlist.
type CompressionAlgorithm string

const (
	// CompressionAlgorithmLZW is LZW.
	CompressionAlgorithmLZW CompressionAlgorithm = "lzw"
	// CompressionAlgorithmSnappy is Snappy.
	CompressionAlgorithmSnappy CompressionAlgorithm = "snappy"
)

// A Config says how a node is made. Begin with DefaultLANConfig, DefaultWANConfig or
// DefaultLocalConfig and change what you need. Where a field's doc gives no other meaning of zero,
// zero takes the value of DefaultLANConfig; so does a Config that was not made by a preset.
//
// Fields of memberlist's Config are all there. Those "without meaning here" are accepted with any
// value and not looked at. Create rejects a bad value with an error that names field, value and
// bound, and works on a copy: it writes no more than the ports that it picked, to BindPort and
// AdvertisePort, and a Keyring made from SecretKey.
type Config struct {
	// Name is the node's name, unique in the cluster. Default and empty: the host name. At most 255
	// bytes of UTF-8 without control characters.
	Name string

	// Transport carries the datagrams. nil: a NetTransport is made from BindAddr and BindPort.
	Transport Transport

	// Label names the cluster, so that nodes of different labels never take part in each other's even
	// if they share a key. It is mixed into the keys; a node with a label speaks to no gwyh 0.1 node.
	// SkipInboundLabelCheck changes the label of a running cluster. Default empty: no label. At most
	// LabelMaxSize bytes.
	Label string

	// SkipInboundLabelCheck makes the node take part in the cluster of PreviousLabel as well as in that of
	// Label: it offers and accepts both, and nodes of both become one cluster. It is set for the time of a
	// rolling restart that introduces, changes or removes a label (docs/MIGRATING.md). Meanwhile only the
	// first two keys are accepted, and no nodes of gwyh 0.1. Default false. Without effect if Label and
	// PreviousLabel are the same.
	SkipInboundLabelCheck bool
	// PreviousLabel is the label that the cluster has before it changes to Label, counted only together
	// with SkipInboundLabelCheck. Default empty: it has none. At most LabelMaxSize bytes; rejected without
	// SkipInboundLabelCheck.
	PreviousLabel string

	// BindAddr is the address to listen on: an IP address or a host name. Default "0.0.0.0"; that, "::"
	// and empty all mean every address of the machine, IPv4 and IPv6. Create looks a host name up once
	// and listens on the first IPv4 address of this machine that it resolves to, or if there is none on
	// the first IPv6 address. A name that resolves to no address of this machine is an error, and so is
	// one that cannot be looked up within 10 s. Not used if Transport is set.
	BindAddr string
	// BindPort is the UDP port to listen on. Default DefaultPort. Zero picks a free one, which Create
	// writes here. 0 to 65535.
	BindPort int

	// AdvertiseAddr is the IP address that other nodes reach this one at, where it differs from the
	// bound one, as behind a NAT. Default empty: the bound address, or the machine's private one when
	// bound to all. Anything but an IP address is rejected, and so is an address that no node can have:
	// the unspecified one, a multicast or a broadcast address. If Transport is set, it is asked instead,
	// and an address of the latter kind draws a warning.
	AdvertiseAddr string
	// AdvertisePort is the port that goes with AdvertiseAddr. Without AdvertiseAddr it is not used.
	// Default DefaultPort. Zero means the bound port, and so does DefaultPort together with a BindPort of
	// 0; in these two cases Create writes the advertised port here. Create logs a warning if one of
	// BindPort and AdvertisePort was changed from DefaultPort, the other was not, and AdvertisePort is
	// used. 0 to 65535.
	AdvertisePort int

	// ProtocolVersion is shown to other nodes as Node.PCur. Default ProtocolVersion2Compatible; zero
	// too. ProtocolVersionMin to ProtocolVersionMax.
	ProtocolVersion uint8

	// TCPTimeout is how long Join and SendReliable wait for the other node. Nothing here is TCP; the
	// name is memberlist's. Default 10 s LAN, 30 s WAN, 1 s Local. Negative is rejected.
	TCPTimeout time.Duration

	// IndirectChecks is how many other nodes are asked to probe one that is silent. Default 3 LAN and
	// WAN, 1 Local. Zero: none is asked. 0 to 64.
	IndirectChecks int

	// RetransmitMult is without meaning here: a message goes once over each link. A
	// TransmitLimitedQueue has a field of its own.
	RetransmitMult int

	// SuspicionMult, times half the ProbeInterval, is the least time that a suspected node has to say
	// that it is alive. Default 4 LAN, 6 WAN, 3 Local. 1 to 1000.
	SuspicionMult int
	// SuspicionMaxTimeoutMult, times the least time, is the longest; it shrinks with every node that
	// suspects the same one. Default 6. 1 to 1000.
	SuspicionMaxTimeoutMult int

	// PushPullInterval is how often the members, and the state of the Delegates, are compared with a
	// random node, and what differs is exchanged. Default 30 s LAN, 60 s WAN, 15 s Local. Zero: only on
	// Join and when a node comes back. Negative is rejected.
	PushPullInterval time.Duration
	// PushPullNodes is the number of push/pulls in each PushPullInterval, each with a random node, spread over
	// the interval. Default 1. 0 to 16; zero means 1.
	PushPullNodes int

	// ProbeInterval is what the time of suspicion is reckoned from, and how often a link is measured.
	// Default 1 s LAN and Local, 5 s WAN. Negative is rejected.
	ProbeInterval time.Duration
	// ProbeTimeout is how long an answer to a probe of a silent node is waited for. Default 500 ms LAN,
	// 3 s WAN, 200 ms Local. Negative is rejected.
	ProbeTimeout time.Duration
	// HeartbeatInterval is how often nodes with a link tell each other that they are there. Default and zero:
	// ProbeInterval, so that a program that probes more often detects failures sooner, as with memberlist. If
	// UDPBufferSize is above 65507, which only a Transport over connections can carry, it is three times the
	// ProbeInterval, because each packet may cost a connection. Both are held to 10 ms to 30 s. A node that is
	// silent for 2.2 intervals is probed. If HeartbeatInterval is longer than ProbeInterval, the node is probed after
	// 1.1 of its intervals and 1.1 ProbeIntervals (or a third of the interval, if that is longer than a
	// ProbeInterval): a failure is found sooner, and a lost heartbeat costs a probe. 10 ms to 30 s.
	HeartbeatInterval time.Duration

	// DisableTcpPings is without meaning here: there are none.
	DisableTcpPings bool
	// DisableTcpPingsForNode is without meaning here: there are none.
	DisableTcpPingsForNode func(nodeName string) bool

	// AwarenessMaxMultiplier bounds by how much a node that is itself unwell, as by lack of CPU,
	// stretches its timeouts. Default 8. 1 switches it off. 1 to 1000.
	AwarenessMaxMultiplier int

	// GossipInterval is the time between two calls of Delegate.GetBroadcasts. If a call returns new messages
	// and leaves no room for another such message, the next call follows at once. There are at most three
	// calls in one interval. When the calls have returned nothing new for a second, they are two intervals
	// apart. A Delegate that encodes its messages anew for each call, so that every call for a second has
	// returned new slices only, is called every five intervals, but not less often than memberlist would: the
	// pause is at most 200 ms, or one interval if that is longer. A Delegate that fills its calls with
	// several messages is not slowed down. Default 20 ms LAN, 50 ms WAN, 10 ms Local. Zero: GetBroadcasts is
	// never called. Negative is rejected. Memberlist.Broadcast sends without waiting for the interval.
	GossipInterval time.Duration
	// RebroadcastWindow is how long bytes count as a rebroadcast after a broadcast with the very same bytes
	// was passed to Delegate.NotifyMsg. If GetBroadcasts returns them for the first time within that time,
	// they are not sent, because every node gets each broadcast from the node that made it. Stats counts
	// them. Programs written for memberlist queue again what they receive, which would cost each node as
	// many messages as there are nodes. The price is that two nodes that mean equal bytes as two messages
	// within this time send one. Memberlist.Broadcast is never suppressed, nor are bytes that came in a
	// message to this node only. Default and zero: 50 times the GossipInterval, but at least 250 ms and at
	// most 5 s; that is 1 s LAN, 2.5 s WAN and 500 ms Local. Any negative value switches it off. At most 30 s.
	RebroadcastWindow time.Duration
	// GossipNodes is without meaning here: a message goes to those that subscribed.
	GossipNodes int
	// GossipToTheDeadTime is how long the name of a failed node is kept for its old address. The name is
	// free sooner when another node has that address. Default 30 s LAN, 60 s WAN, 15 s Local. Negative is rejected.
	GossipToTheDeadTime time.Duration
	// DeadNodeReclaimTime overrides GossipToTheDeadTime. Zero, the default, means no override. Negative is rejected.
	DeadNodeReclaimTime time.Duration

	// Subscriptions is how many nodes a node hears from, and so how many copies of a message it gets:
	// more are quicker and surer, and cost more. Default 5. 1 to 64.
	Subscriptions int
	// Zone names the failure domain of the node, such as a data centre. Default empty: none. At most
	// 255 bytes of UTF-8 without control characters.
	Zone string
	// DistributionStrategy says what the zones mean for the choice of whom to hear. Default and zero:
	// Uniform.
	DistributionStrategy DistributionStrategy
	// MetaMax is the most bytes of metadata, of this node and of others: one with more is not taken in, so
	// raise it everywhere before anybody has more. Delegate.NodeMeta gets it as its limit. Default
	// MetaMaxSize, as memberlist's. 1 to 32768; above MetaMaxSize it has to fit into a datagram of
	// UDPBufferSize, beside Name, Zone and some 220 bytes, because metadata travels in one piece.
	MetaMax int
	// AllowLegacy admits nodes of gwyh 0.1, whose handshake cannot be made safe: see docs/SECURITY.md, and
	// docs/LEGACY.md for what a cluster with such nodes needs. They
	// are members by the name of "gwyh01-" and their address, with a zone and without metadata or versions, for
	// as long as some node hears them. Default false. A Label overrides it.
	AllowLegacy bool

	// GossipVerifyIncoming is without meaning here: only what is encrypted is taken.
	GossipVerifyIncoming bool
	// GossipVerifyOutgoing is without meaning here: only what is encrypted is sent.
	GossipVerifyOutgoing bool
	// EnableCompression is without meaning here: nothing is compressed.
	EnableCompression bool
	// CompressionAlgorithm is without meaning here: nothing is compressed. Any value is accepted.
	CompressionAlgorithm CompressionAlgorithm

	// SecretKey is the key that nodes prove to each other, of any length. Create makes it the primary
	// key of the Keyring. Default nil: the Keyring's keys. If there are none either, the node uses gwyh's
	// well-known key, which keeps nobody out, and logs a warning. A key of fewer than 16 bytes, or of
	// equal bytes, draws a warning too. SecretKey is rejected if the Keyring holds four other keys.
	SecretKey []byte
	// Keyring holds the keys that the node accepts, at most four; they can be changed while it runs.
	// Default nil: if SecretKey is set, Create makes a Keyring of it and writes it here.
	Keyring *Keyring

	// Delegate is the application's side. Default nil: none.
	Delegate Delegate
	// DelegateProtocolVersion, DelegateProtocolMin and DelegateProtocolMax are the version of the
	// application's own protocol, and those it understands. A node that speaks another than the
	// members understand is not taken in. Default 0. A DelegateProtocolMin above DelegateProtocolMax is
	// rejected; a DelegateProtocolVersion outside of the two draws a warning.
	DelegateProtocolVersion uint8
	DelegateProtocolMin     uint8
	DelegateProtocolMax     uint8
	// Events is told who comes and goes. Default nil: nobody.
	Events EventDelegate
	// Conflict is told of two live nodes of one name, at most every 30 s. Default nil: a log line only.
	Conflict ConflictDelegate
	// Merge decides whether clusters become one. Default nil: they do.
	Merge MergeDelegate
	// Ping learns round-trip times: of one link in each ProbeInterval in turn, and of a node without a link
	// every 10 s. Default nil: nobody.
	Ping PingDelegate
	// NodeSelection decides which members this node makes links and push/pulls with. Default nil: any.
	NodeSelection NodeSelectionDelegate
	// Alive decides who is taken in. Default nil: everybody with a key.
	Alive AliveDelegate

	// DNSConfigPath is without meaning here: Go's resolver reads the system's configuration.
	DNSConfigPath string

	// LogOutput is where log lines go. Each line has its level in brackets, then "gwyh: ", as memberlist writes them:
	// a filter for the level, such as hashicorp/logutils, works for both. All levels are written, DEBUG too, unless
	// LogOutput is io.Discard. Default nil: to Logger, or else to standard error. Rejected together with Logger.
	LogOutput io.Writer
	// Logger writes the log lines, all levels as with LogOutput. While its output is io.Discard, lines at DEBUG are
	// not made. Default nil: see LogOutput.
	Logger *log.Logger
	// LogHandler is handed the log lines as records, with their level and without "[LEVEL] gwyh: ". Its Enabled is
	// asked for each line, and once a second for DEBUG: while it says no, lines at DEBUG are not made. Default
	// nil: see LogOutput. Rejected together with LogOutput or Logger.
	LogHandler slog.Handler

	// HandoffQueueDepth is how many datagrams from a Transport of your own may wait for the node; more
	// are dropped and counted. Default 1024. 1 to 1048576.
	HandoffQueueDepth int

	// UDPBufferSize is the largest datagram in bytes that the node sends without having searched for larger ones. A
	// node sends a peer at most 1200 bytes in a datagram until it has seen that this size arrives there; messages are cut
	// until then. With NetTransport on Linux it also searches for what each path carries, up to 8952. A broadcast that does
	// not fit is cut. Default 1400 LAN, 1200 WAN, 60000 Local. 1200, which any path carries, to 65507. With a Transport of
	// your own up to 16777216, which is what GetBroadcasts is given room for then; no datagram has more
	// than 65507 all the same.
	UDPBufferSize int

	// CIDRsAllowed are the networks that members may be of. Default nil and empty: all. IPv4 and IPv6
	// are listed apart. ParseCIDRs reads them.
	CIDRsAllowed []net.IPNet

	// MetricLabels go with each metric. Default nil: none.
	MetricLabels []metrics.Label
	// Metrics takes the metrics of this node. Default nil: the sink of the process, metrics.NewGlobal's
	// of armon/go-metrics, or hashicorp/go-metrics with the build tag hashicorpmetrics. It may block without
	// harm to the node.
	Metrics metrics.MetricSink

	// QueueCheckInterval is how often the lengths of the queues are told as metrics. Default 30 s.
	// Zero: never. Negative is rejected.
	QueueCheckInterval time.Duration

	// RequireNodeNames rejects calls that name a node by its address only. Default false.
	RequireNodeNames bool

	// MsgpackUseNewTimeFormat is without meaning here: no such time is on the wire.
	MsgpackUseNewTimeFormat bool
}

// DefaultLANConfig is for nodes in one data centre, or in several near ones.
func DefaultLANConfig() *Config {
	return &Config{
		Name:                    hostname(),
		BindAddr:                "0.0.0.0",
		BindPort:                DefaultPort,
		AdvertisePort:           DefaultPort,
		ProtocolVersion:         ProtocolVersion2Compatible,
		TCPTimeout:              10 * time.Second,
		IndirectChecks:          3,
		RetransmitMult:          4,
		SuspicionMult:           4,
		SuspicionMaxTimeoutMult: 6,
		PushPullInterval:        30 * time.Second,
		PushPullNodes:           1,
		ProbeInterval:           time.Second,
		ProbeTimeout:            500 * time.Millisecond,
		AwarenessMaxMultiplier:  8,
		GossipInterval:          20 * time.Millisecond,
		GossipNodes:             3,
		GossipToTheDeadTime:     30 * time.Second,
		Subscriptions:           5,
		MetaMax:                 MetaMaxSize,
		GossipVerifyIncoming:    true,
		GossipVerifyOutgoing:    true,
		EnableCompression:       true,
		CompressionAlgorithm:    CompressionAlgorithmLZW,
		DNSConfigPath:           "/etc/resolv.conf",
		HandoffQueueDepth:       1024,
		UDPBufferSize:           1400,
		QueueCheckInterval:      30 * time.Second,
	}
}

// DefaultWANConfig is for nodes far from each other.
func DefaultWANConfig() *Config {
	c := DefaultLANConfig()
	c.TCPTimeout = 30 * time.Second
	c.SuspicionMult = 6
	c.PushPullInterval = 60 * time.Second
	c.ProbeInterval = 5 * time.Second
	c.ProbeTimeout = 3 * time.Second
	c.GossipInterval = 50 * time.Millisecond
	c.GossipNodes = 4
	c.GossipToTheDeadTime = 60 * time.Second
	c.UDPBufferSize = 1200
	return c
}

// DefaultLocalConfig is for nodes on one machine.
func DefaultLocalConfig() *Config {
	c := DefaultLANConfig()
	c.TCPTimeout = time.Second
	c.IndirectChecks = 1
	c.RetransmitMult = 2
	c.SuspicionMult = 3
	c.PushPullInterval = 15 * time.Second
	c.ProbeTimeout = 200 * time.Millisecond
	c.GossipInterval = 10 * time.Millisecond
	c.GossipToTheDeadTime = 15 * time.Second
	c.UDPBufferSize = 60000
	return c
}

// hostname is empty where the system knows none, which validate rejects.
func hostname() string {
	name, _ := os.Hostname()
	return name
}

// Format writes the fields as fmt does, except that it shows nothing of the SecretKey but whether there is one.
func (c Config) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), c.redacted())
}

// LogValue is the fields as Format shows them.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", c.redacted())) }

// redacted is a Config without its SecretKey, in a type that fmt prints field by field.
func (c Config) redacted() any {
	type fields Config
	if len(c.SecretKey) > 0 {
		c.SecretKey = []byte("redacted")
	}
	return fields(c)
}

// BuildVsnArray is the protocol versions of the node in the order of memberlist: least, greatest and
// spoken of the library, then of the application.
func (c *Config) BuildVsnArray() []uint8 {
	return []uint8{
		ProtocolVersionMin, ProtocolVersionMax, c.ProtocolVersion,
		c.DelegateProtocolMin, c.DelegateProtocolMax, c.DelegateProtocolVersion,
	}
}

// EncryptionEnabled reports whether keys of one's own are configured. Traffic is always encrypted;
// without them it is with a key that everybody knows.
func (c *Config) EncryptionEnabled() bool {
	return len(c.SecretKey) > 0 || c.Keyring != nil && c.Keyring.GetPrimaryKey() != nil
}

// IPMustBeChecked reports whether CIDRsAllowed excludes anybody.
func (c *Config) IPMustBeChecked() bool { return len(c.CIDRsAllowed) > 0 }

// IPAllowed is an error if CIDRsAllowed excludes ip.
func (c *Config) IPAllowed(ip net.IP) error {
	if !c.IPMustBeChecked() {
		return nil
	}
	for _, n := range c.CIDRsAllowed {
		if n.Contains(ip) {
			return nil
		}
	}
	return fmt.Errorf("%s is not allowed", ip)
}

// ParseCIDRs reads networks such as "10.0.0.0/8" for CIDRsAllowed. Of bad ones the error tells, joined;
// the good ones are returned all the same.
func ParseCIDRs(v []string) ([]net.IPNet, error) {
	nets := make([]net.IPNet, 0, len(v))
	var errs []error
	for _, s := range v {
		_, n, err := net.ParseCIDR(strings.TrimSpace(s))
		if err != nil {
			errs = append(errs, fmt.Errorf("invalid CIDR %q", s))
			continue
		}
		nets = append(nets, *n)
	}
	return nets, errors.Join(errs...)
}

const (
	maxNameSize       = 255 // bytes, of a name or a zone (PROTOCOL.md 4, members)
	minHeartbeat      = 10 * time.Millisecond
	maxHeartbeat      = 30 * time.Second
	minUDPBufferSize  = 1200
	maxUserBufferSize = 16 << 20
	maxMeta           = 32 << 10
	entryOverhead     = 220 // bytes of a datagram with an entry, beyond name, zone and metadata, at most
)

// validate returns a copy of c that is ready for use: zeros replaced by the defaults they stand for,
// slices its own. The error names all fields that are bad. c stays as it is.
func (c *Config) validate() (*Config, error) {
	if c == nil {
		return nil, errors.New("bad Config: it is nil")
	}
	own := *c
	own.SecretKey = bytes.Clone(c.SecretKey)
	own.CIDRsAllowed = slices.Clone(c.CIDRsAllowed)
	own.MetricLabels = slices.Clone(c.MetricLabels)
	own.fillZeros(DefaultLANConfig())
	if own.labelled() {
		own.AllowLegacy = false
	}
	if bad := own.complaints(); len(bad) > 0 {
		return nil, fmt.Errorf("bad Config: %s", strings.Join(bad, "; "))
	}
	return &own, nil
}

// labels are the labels of the clusters that the node takes part in, its own first: one, or two.
func (c *Config) labels() []string {
	if c.SkipInboundLabelCheck && c.PreviousLabel != c.Label {
		return []string{c.Label, c.PreviousLabel}
	}
	return []string{c.Label}
}

// labelled reports whether a label is in use, which no gwyh 0.1 node knows.
func (c *Config) labelled() bool {
	return slices.ContainsFunc(c.labels(), func(l string) bool { return l != "" })
}

// fillZeros gives c the values of d where a zero has no meaning of its own.
func (c *Config) fillZeros(d *Config) {
	fill(&c.Name, d.Name)
	fill(&c.ProtocolVersion, d.ProtocolVersion)
	fill(&c.TCPTimeout, d.TCPTimeout)
	fill(&c.SuspicionMult, d.SuspicionMult)
	fill(&c.SuspicionMaxTimeoutMult, d.SuspicionMaxTimeoutMult)
	fill(&c.PushPullNodes, d.PushPullNodes)
	fill(&c.CompressionAlgorithm, d.CompressionAlgorithm)
	fill(&c.ProbeInterval, d.ProbeInterval)
	fill(&c.ProbeTimeout, d.ProbeTimeout)
	fill(&c.HeartbeatInterval, min(max(c.heartbeats()*min(c.ProbeInterval, maxHeartbeat), minHeartbeat), maxHeartbeat))
	fill(&c.AwarenessMaxMultiplier, d.AwarenessMaxMultiplier)
	fill(&c.GossipToTheDeadTime, d.GossipToTheDeadTime)
	fill(&c.Subscriptions, d.Subscriptions)
	fill(&c.MetaMax, d.MetaMax)
	fill(&c.HandoffQueueDepth, d.HandoffQueueDepth)
	fill(&c.UDPBufferSize, d.UDPBufferSize)
}

// heartbeats is the default HeartbeatInterval in ProbeIntervals. Packets larger than UDP's travel over connections,
// which may cost one each, as with dskit.
func (c *Config) heartbeats() time.Duration {
	if c.UDPBufferSize > udp.MaxDatagram {
		return 3
	}
	return 1
}

func fill[T comparable](v *T, zeroMeans T) {
	var zero T
	if *v == zero {
		*v = zeroMeans
	}
}

// complaints tells field, value and bound of all that is bad about c. It shows no key.
func (c *Config) complaints() (bad []string) {
	reject := func(field string, value any, want string) {
		bad = append(bad, fmt.Sprintf("%s = %v, want %s", field, value, want))
	}
	within := func(field string, value, least, most int) {
		if value < least || value > most {
			reject(field, value, fmt.Sprintf("%d to %d", least, most))
		}
	}
	positive := func(field string, value time.Duration) {
		if value < 0 {
			reject(field, value, "no negative duration")
		}
	}
	short := func(field, value string, most int) {
		if len(value) > most {
			reject(field, fmt.Sprintf("%.16q... of %d bytes", value, len(value)), fmt.Sprintf("at most %d bytes", most))
		}
	}
	printable := func(field, value string) {
		if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			reject(field, fmt.Sprintf("%.64q", value), "UTF-8 without control characters")
		}
	}
	host := func(field, value string) {
		if value != "" && !resolve.IsHost(value) {
			reject(field, fmt.Sprintf("%q", value), "an IP address or a host name")
		}
	}
	reachable := func(field, value string) {
		if value == "" {
			return
		}
		ip, err := netip.ParseAddr(value)
		if err != nil {
			reject(field, fmt.Sprintf("%q", value), "an IP address")
		} else if why := resolve.Unreachable(ip, nil); why != "" {
			reject(field, fmt.Sprintf("%q", value), "an address that other nodes can reach: "+why)
		}
	}

	if c.Name == "" {
		reject("Name", `""`, "a name: the system knows no host name")
	}
	short("Name", c.Name, maxNameSize)
	printable("Name", c.Name)
	short("Label", c.Label, LabelMaxSize)
	short("PreviousLabel", c.PreviousLabel, LabelMaxSize)
	if c.PreviousLabel != "" && !c.SkipInboundLabelCheck {
		bad = append(bad, "PreviousLabel is set without SkipInboundLabelCheck, want both or none")
	}
	short("Zone", c.Zone, maxNameSize)
	printable("Zone", c.Zone)
	largest := maxUserBufferSize
	if c.Transport == nil {
		host("BindAddr", c.BindAddr)
		reachable("AdvertiseAddr", c.AdvertiseAddr)
		largest = udp.MaxDatagram
	}
	within("BindPort", c.BindPort, 0, 65535)
	within("AdvertisePort", c.AdvertisePort, 0, 65535)
	if c.DelegateProtocolMin > c.DelegateProtocolMax {
		reject("DelegateProtocolMin", c.DelegateProtocolMin, fmt.Sprintf("at most DelegateProtocolMax = %d", c.DelegateProtocolMax))
	}
	within("ProtocolVersion", int(c.ProtocolVersion), int(ProtocolVersionMin), ProtocolVersionMax)
	positive("TCPTimeout", c.TCPTimeout)
	within("IndirectChecks", c.IndirectChecks, 0, 64)
	within("SuspicionMult", c.SuspicionMult, 1, 1000)
	within("SuspicionMaxTimeoutMult", c.SuspicionMaxTimeoutMult, 1, 1000)
	positive("PushPullInterval", c.PushPullInterval)
	within("PushPullNodes", c.PushPullNodes, 0, 16)
	positive("ProbeInterval", c.ProbeInterval)
	positive("ProbeTimeout", c.ProbeTimeout)
	if h := c.HeartbeatInterval; h < minHeartbeat || h > maxHeartbeat {
		reject("HeartbeatInterval", h, "10ms to 30s")
	}
	within("AwarenessMaxMultiplier", c.AwarenessMaxMultiplier, 1, 1000)
	positive("GossipInterval", c.GossipInterval)
	if w := c.RebroadcastWindow; w > maxRebroadcastWindow {
		reject("RebroadcastWindow", w, fmt.Sprintf("at most %v", maxRebroadcastWindow))
	}
	positive("GossipToTheDeadTime", c.GossipToTheDeadTime)
	positive("DeadNodeReclaimTime", c.DeadNodeReclaimTime)
	within("Subscriptions", c.Subscriptions, 1, 64)
	if !c.DistributionStrategy.valid() {
		reject("DistributionStrategy", int(c.DistributionStrategy), "one of the constants")
	}
	if c.LogOutput != nil && c.Logger != nil {
		bad = append(bad, "LogOutput and Logger are both set, want at most one")
	}
	if c.LogHandler != nil && (c.LogOutput != nil || c.Logger != nil) {
		bad = append(bad, "LogHandler is set beside LogOutput or Logger, want at most one")
	}
	metaMax := c.UDPBufferSize - entryOverhead - len(c.Name) - len(c.Zone)
	within("MetaMax", c.MetaMax, 1, max(MetaMaxSize, min(maxMeta, metaMax)))
	within("HandoffQueueDepth", c.HandoffQueueDepth, 1, 1<<20)
	within("UDPBufferSize", c.UDPBufferSize, minUDPBufferSize, largest)
	positive("QueueCheckInterval", c.QueueCheckInterval)
	return bad
}

// picksAdvertisePort reports whether the advertised port is left to Create, so that it is the bound one.
func (c *Config) picksAdvertisePort() bool {
	return c.AdvertisePort == 0 || c.AdvertisePort == DefaultPort && c.BindPort == 0
}

// warnings tell of what is valid but hardly meant.
func (c *Config) warnings() (list []string) {
	if w := c.portWarning(); w != "" && c.Transport == nil {
		list = append(list, w)
	}
	if v := c.DelegateProtocolVersion; v < c.DelegateProtocolMin || v > c.DelegateProtocolMax {
		list = append(list, fmt.Sprintf("DelegateProtocolVersion = %d is outside of DelegateProtocolMin = %d to DelegateProtocolMax = %d: no node takes this one in",
			v, c.DelegateProtocolMin, c.DelegateProtocolMax))
	}
	return list
}

// portWarning tells of ports of which only one was set, empty if there is nothing to tell. Other nodes are
// then told a port that nothing listens on, unless something forwards it.
func (c *Config) portWarning() string {
	if c.picksAdvertisePort() || c.AdvertisePort == c.BindPort {
		return ""
	}
	used, isDefault := c.AdvertiseAddr != "", c.AdvertisePort == DefaultPort
	switch {
	case !used && !isDefault:
		return fmt.Sprintf("AdvertisePort = %d is not used, because AdvertiseAddr is not set: this node advertises the port that it listens on (BindPort = %d)",
			c.AdvertisePort, c.BindPort)
	case used && c.BindPort == DefaultPort:
		return fmt.Sprintf("AdvertisePort = %d, but BindPort = %d is the default: other nodes reach this one only if something forwards port %d to it. Set BindPort too, or gwyh.DefaultPort for both",
			c.AdvertisePort, c.BindPort, c.AdvertisePort)
	case used && isDefault:
		return fmt.Sprintf("BindPort = %d, but AdvertisePort = %d is the default: other nodes reach this one only if something forwards port %d to it. Set AdvertisePort too (0 means the bound port), or gwyh.DefaultPort for both",
			c.BindPort, c.AdvertisePort, c.AdvertisePort)
	}
	return ""
}

const maxRebroadcastWindow = 30 * time.Second

// rebroadcastWindow is RebroadcastWindow with its default, zero for none.
func (c *Config) rebroadcastWindow() time.Duration {
	switch w := c.RebroadcastWindow; {
	case w < 0:
		return 0
	case w > 0:
		return w
	default:
		return min(max(50*c.GossipInterval, 250*time.Millisecond), 5*time.Second)
	}
}

// node returns what the node is made of.
func (c *Config) node(t Transport, log node.Log) (node.Config[*Node], error) {
	core, err := c.core(t)
	if err != nil {
		return node.Config[*Node]{}, err
	}
	n := node.Config[*Node]{
		Core: core, Application: c.application(), Transport: shellTransport(t, c.AdvertiseAddr == ""), Log: log,
		Convert: newNode, ID: func(n *Node) wire.NodeID { return wire.NodeID(n.ID) }, Meta: func(n *Node) []byte { return n.Meta }, Public: public,
		Keys: c.keys,
		Port: c.BindPort, RequireNames: c.RequireNodeNames, Timeout: c.TCPTimeout,
		PollInterval: c.GossipInterval, RebroadcastWindow: c.rebroadcastWindow(), InboxDepth: c.HandoffQueueDepth,
		Metrics: c.Metrics, MetricLabels: c.MetricLabels, QueueCheckInterval: c.QueueCheckInterval,
	}
	if c.Keyring != nil {
		n.WatchKeys = c.Keyring.watch
	}
	if c.UDPBufferSize > udp.MaxDatagram {
		n.PollLimit = c.UDPBufferSize
	}
	return n, nil
}

// core returns the core's part of the configuration.
func (c *Config) core(t Transport) (gossip.Config, error) {
	advertise, err := advertised(t, c)
	if err != nil {
		return gossip.Config{}, err
	}
	meta, err := c.nodeMeta()
	if err != nil {
		return gossip.Config{}, err
	}
	var allow func(netip.Addr) bool
	if c.IPMustBeChecked() {
		allow = func(a netip.Addr) bool { return c.IPAllowed(a.AsSlice()) == nil }
	}
	_, udpTransport := t.(*NetTransport)
	probed := 0
	if udpTransport && udp.Probes {
		probed = gossip.DatagramProbed
	}
	return gossip.Config{
		Name: c.Name, Zone: wire.Zone{Name: c.Zone, Valid: c.Zone != ""}, Advertise: advertise, Meta: meta, MetaMax: c.MetaMax,
		Allow: allow, Versions: [6]byte(c.BuildVsnArray()), Labelled: c.labelled(), AllowLegacy: c.AllowLegacy,
		ProbeInterval: c.ProbeInterval, ProbeTimeout: c.ProbeTimeout, IndirectChecks: orNone(c.IndirectChecks),
		SuspicionMult: c.SuspicionMult, SuspicionMaxTimeoutMult: c.SuspicionMaxTimeoutMult, AwarenessMaxMultiplier: c.AwarenessMaxMultiplier,
		DeadNodeReclaimTime: c.DeadNodeReclaimTime, GossipToTheDeadTime: c.GossipToTheDeadTime,
		PushPullInterval: orNone(c.PushPullInterval), PushPullNodes: c.PushPullNodes,
		Subscriptions: c.Subscriptions, Strategy: overlay.Strategy(c.DistributionStrategy), Heartbeat: c.HeartbeatInterval,
		DatagramSize: min(c.UDPBufferSize, udp.MaxDatagram), DatagramMax: probed, DatagramTaken: udp.MaxDatagram, AnswerAdvertised: !udpTransport,
	}, nil
}

// orNone is a number or interval of the Config, of which zero means none, as the core wants it.
func orNone[T int | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// keys returns the keys that a node may use now, and what its operator is to be warned of.
func (c *Config) keys() node.Keys {
	shared, k := preSharedKeys(c.Keyring)
	labels := c.labels()
	if most := maxKeys / len(labels); len(shared) > most {
		k.Warnings = append(k.Warnings, fmt.Sprintf("only the first %d of %d keys are accepted while SkipInboundLabelCheck is set", most, len(shared)))
	}
	k.Keys = handshake.NewKeys(shared, labels...)
	return k
}

// log returns the log of a node. validate sees to it that at most one place is set.
func (c *Config) log() node.Log { return node.NewLog(c.Logger, c.LogOutput, c.LogHandler) }

// listen makes the transport that c describes, and writes to c the ports that were picked.
func listen(c *Config) (Transport, error) {
	t, err := NewNetTransport(&NetTransportConfig{BindAddrs: []string{c.BindAddr}, BindPort: c.BindPort,
		Logger: c.log().Logger(), MetricLabels: c.MetricLabels})
	if err != nil {
		return nil, fmt.Errorf("gwyh: %w", err)
	}
	if c.picksAdvertisePort() {
		c.AdvertisePort = t.GetAutoBindPort()
	}
	c.BindPort = t.GetAutoBindPort()
	return t, nil
}

// advertised returns the address at which others reach the node, as t says. It writes to c the ports that result. An
// address that nobody can reach is an error, except with a foreign Transport, where it is a warning.
func advertised(t Transport, c *Config) (netip.AddrPort, error) {
	ip, port, err := t.FinalAdvertiseAddr(c.AdvertiseAddr, c.AdvertisePort)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("gwyh: find the address to advertise: %w", err)
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok || port < 1 || port > 65535 {
		return netip.AddrPort{}, fmt.Errorf("gwyh: cannot advertise address %v port %d", ip, port)
	}
	own, _ := net.InterfaceAddrs() // after an error the broadcast addresses of this machine are not known
	if why := resolve.Unreachable(addr, own); why != "" {
		err := fmt.Errorf("no other node can reach the address to advertise, %s: %s", addr.Unmap(), why)
		if _, ours := t.(*NetTransport); ours {
			return netip.AddrPort{}, fmt.Errorf("gwyh: %w", err)
		}
		c.log().Warnf("%v", err)
	}
	c.AdvertisePort = port
	if c.BindPort == 0 {
		c.BindPort = port
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}
