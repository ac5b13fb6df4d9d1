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
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/node"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/resolve"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Versions of memberlist's protocol, which some programs compare. gwyh's nodes agree on the version of their own
// protocol in the handshake. Only the minimum has a type, as in memberlist.
const ProtocolVersionMin uint8 = 1
const (
	ProtocolVersion2Compatible = 2
	ProtocolVersionMax         = 5
)

// DefaultPort is the UDP port of the presets: DefaultLANConfig, DefaultWANConfig and DefaultLocalConfig set BindPort and
// AdvertisePort to it. To change the port for a whole program, set DefaultPort before the first Config is
// made, for example in an init function: gwyh.DefaultPort = 7946. 1 to 65535.
var DefaultPort = 6969

const (
	// MetaMaxSize is the default of Config.MetaMax, in bytes.
	MetaMaxSize = 512
	// LabelMaxSize is the maximum length of Config.Label, in bytes.
	LabelMaxSize = 255
)

// A CompressionAlgorithm is a value of Config.CompressionAlgorithm. It exists for programs written for Grafana's fork of
// memberlist.
type CompressionAlgorithm string

const (
	// CompressionAlgorithmLZW is LZW.
	CompressionAlgorithmLZW CompressionAlgorithm = "lzw"
	// CompressionAlgorithmSnappy is Snappy.
	CompressionAlgorithmSnappy CompressionAlgorithm = "snappy"
)

// A Config describes a node. Start from DefaultLANConfig, DefaultWANConfig or DefaultLocalConfig and
// change what you need.
//
// Create copies the Config, so later changes to it have no effect. Create writes back only the ports that
// it picked (BindPort, AdvertisePort) and a Keyring made from SecretKey. It rejects an invalid value with an error that names
// the field, the value and the bound.
//
// The zero value of a field means the default of DefaultLANConfig, unless the field's doc says otherwise.
// So a Config that was written by hand works too. The presets differ in these fields:
//
//	field                LAN     WAN     Local
//	TCPTimeout           10 s    30 s    1 s
//	IndirectChecks       3       3       1
//	SuspicionMult        4       6       3
//	PushPullInterval     30 s    60 s    15 s
//	ProbeInterval        1 s     5 s     1 s
//	ProbeTimeout         500 ms  3 s     200 ms
//	GossipInterval       20 ms   50 ms   10 ms
//	GossipToTheDeadTime  30 s    60 s    15 s
//	UDPBufferSize        1400    1200    60000
//
// All fields of memberlist's Config exist. Some have no meaning here. They accept any value, and nothing
// reads it: RetransmitMult, GossipNodes, DisableTcpPings, DisableTcpPingsForNode, GossipVerifyIncoming,
// GossipVerifyOutgoing, EnableCompression, CompressionAlgorithm, DNSConfigPath, MsgpackUseNewTimeFormat.
type Config struct {
	// Name is the node's name. It must be unique in the cluster. Empty (the default of a Config written by
	// hand) means the host name. At most 255 bytes of UTF-8 without control characters.
	Name string

	// Transport carries the datagrams. Nil (the default) means a NetTransport made from BindAddr and BindPort.
	Transport Transport

	// Label names the cluster. Nodes with different labels never join each other, even if they share a key,
	// because the label is mixed into the keys. A node with a label cannot talk to gwyh 0.1 nodes. To change the label of a
	// running cluster, see SkipInboundLabelCheck. Empty (the default) means no label. At most LabelMaxSize bytes.
	Label string

	// SkipInboundLabelCheck makes the node accept and offer PreviousLabel in addition to Label, so that nodes
	// with either label form one cluster. Set it only during a rolling restart that introduces, changes or removes
	// a label (docs/MIGRATING.md). While it is set, the node accepts only the first two keys of its Keyring, and no gwyh 0.1
	// nodes. Default false. It has no effect if Label and PreviousLabel are equal.
	SkipInboundLabelCheck bool
	// PreviousLabel is the cluster's label before the change to Label. Empty (the default) means that the
	// cluster had no label. At most LabelMaxSize bytes. It is rejected without SkipInboundLabelCheck.
	PreviousLabel string

	// BindAddr is the address to listen on: an IP address or a host name. The default "0.0.0.0", "::" and the
	// empty string all mean every address of the machine, IPv4 and IPv6. Create resolves a host name once and
	// listens on the first IPv4 address of this machine among the results, or on the first IPv6 address if there is no IPv4 address.
	// Create returns an error if no result is an address of this machine, or if the lookup takes longer than 10 s.
	// BindAddr is not used if Transport is set.
	BindAddr string
	// BindPort is the UDP port to listen on. The presets set it to DefaultPort. With zero the system picks a
	// free port, and Create writes it back to this field. 0 to 65535.
	BindPort int

	// AdvertiseAddr is the IP address at which other nodes reach this one, if it differs from the bound
	// address, for example behind a NAT. Empty (the default) means the bound address, or the machine's private
	// address if the node listens on all addresses. Create rejects anything that is not an IP address, and the
	// unspecified, multicast and broadcast addresses, which no node can have. If Transport is set, the Transport decides, and
	// such an address only causes a warning.
	AdvertiseAddr string
	// AdvertisePort is the port that belongs to AdvertiseAddr. It is not used without AdvertiseAddr. The presets
	// set it to DefaultPort. Zero means the bound port, and so does DefaultPort together with a BindPort of
	// zero. In these two cases Create writes the port back to this field. Create logs a warning if AdvertisePort
	// is used and only one of BindPort and AdvertisePort differs from DefaultPort. 0 to 65535.
	AdvertisePort int

	// ProtocolVersion is shown to other nodes as Node.PCur. Default ProtocolVersion2Compatible.
	// ProtocolVersionMin to ProtocolVersionMax.
	ProtocolVersion uint8

	// TCPTimeout limits how long Join and SendReliable wait for the other node. The name is memberlist's;
	// no TCP is involved. Must not be negative.
	TCPTimeout time.Duration

	// IndirectChecks is the number of other nodes that are asked to probe a silent node. Zero means none.
	// 0 to 64.
	IndirectChecks int

	// RetransmitMult has no meaning here, because each message crosses each link once. A
	// TransmitLimitedQueue has a field of its own.
	RetransmitMult int

	// SuspicionMult times half the ProbeInterval is the minimum time that a suspected node has to refute
	// the suspicion before it is declared dead. 1 to 1000.
	SuspicionMult int
	// SuspicionMaxTimeoutMult times the minimum time is the maximum. The time shrinks from the maximum to the
	// minimum with each further node that suspects the same member. Default 6. 1 to 1000.
	SuspicionMaxTimeoutMult int

	// PushPullInterval is how often the node compares its members and its Delegate's state with a
	// random member and exchanges what differs. Nodes do the same, whatever the interval, when one joins another and, within
	// 10 s, when a failed node comes back. Zero means only then. Must not be negative.
	PushPullInterval time.Duration
	// PushPullNodes is the number of exchanges in each PushPullInterval, each with another random member, spread
	// over the interval. Default 1. 1 to 16.
	PushPullNodes int

	// ProbeInterval is the unit of the suspicion time, and how often the round-trip time of a link is measured.
	// Must not be negative.
	ProbeInterval time.Duration
	// ProbeTimeout is how long the node waits for the answer to a probe before it asks other nodes to probe.
	// Must not be negative.
	ProbeTimeout time.Duration
	// HeartbeatInterval is how often the node sends heartbeats on its links. If it has more than five links and
	// HeartbeatInterval is not above ProbeInterval and 15 s, each heartbeat goes to half of them. A member with a link
	// is probed after a silence of 2.2 intervals. If its heartbeats on that link are rarer than ProbeInterval, it is probed earlier: when a
	// heartbeat is overdue by 1.1 ProbeIntervals, or by a third of its interval if that is longer. Then a single lost heartbeat costs a Ping.
	//
	// Zero (the default) means ProbeInterval, so a program that probes more often also detects failures sooner,
	// as with memberlist. If UDPBufferSize is above 65507, which only a Transport over connections can
	// carry, zero means three ProbeIntervals, because each packet may cost a connection. Both defaults are kept within the
	// bounds. 10 ms to 30 s.
	HeartbeatInterval time.Duration

	// DisableTcpPings has no meaning here, because there are no TCP pings.
	DisableTcpPings bool
	// DisableTcpPingsForNode has no meaning here, because there are no TCP pings.
	DisableTcpPingsForNode func(nodeName string) bool

	// AwarenessMaxMultiplier bounds the factor by which a node that is itself in poor health multiplies its
	// timeouts (the local health multiplier of Lifeguard, https://arxiv.org/abs/1707.00788). Default 8; 1 switches it off. 1 to 1000.
	AwarenessMaxMultiplier int

	// GossipInterval is the time between two calls of Delegate.GetBroadcasts. Memberlist.Broadcast does
	// not wait for it. Zero means that GetBroadcasts is never called. Must not be negative.
	//
	// If a call returns a new message and leaves no room for another one of the same size, the next call follows at once,
	// up to three calls in one interval. If no call has returned a new message for a second, calls are two
	// intervals apart. A Delegate that encodes its messages again for each call, so that all calls of a second
	// returned new slices with one message each, is called every five intervals; the pause is at most 200 ms, or one interval if that is longer.
	GossipInterval time.Duration
	// RebroadcastWindow is the time for which the bytes of a received broadcast are not broadcast again.
	// If GetBroadcasts returns bytes for the first time within this time after the same bytes were passed to
	// NotifyMsg as a broadcast, they are not sent, because every node already gets them from their origin.
	// Programs written for memberlist queue what they receive again. Without the window each
	// message would be broadcast by every node. The price: if two nodes broadcast equal bytes as two different messages within this
	// time, only one of them may be sent.
	//
	// Messages of Memberlist.Broadcast and bytes received in a message to this node alone are never
	// suppressed. Stats.BroadcastsSuppressed counts suppressed messages. Zero (the default) means 50 GossipIntervals, but at least
	// 250 ms and at most 5 s: 1 s for LAN, 2.5 s for WAN and 500 ms for Local. A negative value switches the window off. At most 30 s.
	RebroadcastWindow time.Duration
	// GossipNodes has no meaning here: a message goes to the nodes with a link.
	GossipNodes int
	// GossipToTheDeadTime is how long the name of a failed node stays reserved for the address it had. If
	// another node takes the address, the name becomes free at once. Must not be negative.
	GossipToTheDeadTime time.Duration
	// DeadNodeReclaimTime overrides GossipToTheDeadTime. Zero (the default) means no override. Must not be
	// negative.
	DeadNodeReclaimTime time.Duration

	// Subscriptions is the number of links that the node itself chooses. As many others choose it on average, so a
	// node has about twice as many links. More links make delivery faster and more robust, and cost more at rest.
	// Default 5. 1 to 64.
	Subscriptions int
	// Zone names the node's failure domain, for example a data center. Empty (the default) means no zone.
	// At most 255 bytes of UTF-8 without control characters.
	Zone string
	// BeaconInterval is how often the node sends a beacon: a broadcast without content, by which every other node
	// measures how long broadcasts from this node's zone take to reach it (Status.Propagation and the metric
	// gwyh.propagation). The clocks of the nodes may differ. With more than 64 members, the pauses are longer in proportion,
	// so the whole cluster never sends more than 64 beacons in one interval. A node without an interval measures and passes
	// on the beacons of others. While beacons pass, a heartbeat is about 40 bytes longer. Zero (the default) means no beacons. 1 s to 5 min.
	BeaconInterval time.Duration

	// DistributionStrategy says how zones affect the choice of links. Default Uniform.
	DistributionStrategy DistributionStrategy
	// MetaMax is the maximum size in bytes of a node's metadata, of this node's own and of other nodes'. A node with
	// larger metadata is not accepted as a member, so raise MetaMax on all nodes before any of them uses more. Delegate.NodeMeta gets it as its limit.
	// Default MetaMaxSize, as in memberlist. 1 to 32768. Above MetaMaxSize, the metadata, Name, Zone and
	// 220 bytes must fit into UDPBufferSize, because a member's entry is not split.
	MetaMax int
	// AllowLegacy admits nodes of gwyh 0.1. Their handshake cannot be made safe (docs/SECURITY.md);
	// docs/LEGACY.md says what a cluster with such nodes needs. They are members named "gwyh01-" plus their address, have a
	// zone but no metadata and no versions, and stay members as long as some node hears from them. Default
	// false. It has no effect if Label is set.
	AllowLegacy bool

	// GossipVerifyIncoming has no meaning here, because only encrypted packets are accepted.
	GossipVerifyIncoming bool
	// GossipVerifyOutgoing has no meaning here, because all packets are encrypted.
	GossipVerifyOutgoing bool
	// EnableCompression has no meaning here, because nothing is compressed.
	EnableCompression bool
	// CompressionAlgorithm has no meaning here, because nothing is compressed.
	CompressionAlgorithm CompressionAlgorithm

	// SecretKey is the pre-shared key of the cluster, of any length. Create makes it the primary key of the Keyring.
	// Nil (the default) means that the keys of the Keyring are used. If neither is set, the node uses the well-known
	// default key, which keeps nobody out, and logs a warning at Create and every hour. A key of fewer than 16 bytes or of
	// equal bytes causes a warning too. SecretKey is rejected if the Keyring already holds four other keys.
	SecretKey []byte
	// Keyring holds the keys that the node accepts, at most four. They can be changed at run time. Nil (the
	// default) with a SecretKey means that Create makes a Keyring and writes it back to this field.
	Keyring *Keyring

	// Delegate connects the application: messages, metadata and state. Default nil.
	Delegate Delegate
	// DelegateProtocolVersion is the version of the application's own protocol that this node speaks, and
	// DelegateProtocolMin and DelegateProtocolMax are the versions that it understands. A node is accepted as a
	// member only if it and all members understand each other's versions. Default 0. Create rejects a DelegateProtocolMin above
	// DelegateProtocolMax, and logs a warning if DelegateProtocolVersion is outside the range.
	DelegateProtocolVersion uint8
	DelegateProtocolMin     uint8
	DelegateProtocolMax     uint8
	// Events is notified when members join, leave, fail or change. Default nil.
	Events EventDelegate
	// Conflict is notified of two live nodes with the same name, at most once every 30 s. With nil (the
	// default) the conflict is only logged.
	Conflict ConflictDelegate
	// Merge decides whether two clusters may become one. With nil (the default) they may.
	Merge MergeDelegate
	// Ping is notified of measured round-trip times: in each ProbeInterval of one link, in turn, and every 10 s
	// of one node without a link. Default nil.
	Ping PingDelegate
	// NodeSelection decides which members this node may choose for links and state exchanges. With nil (the
	// default) it may choose any.
	NodeSelection NodeSelectionDelegate
	// Alive decides which nodes are accepted as members. With nil (the default) every node with a key is.
	Alive AliveDelegate

	// DNSConfigPath has no meaning here, because Go's resolver reads the system's configuration.
	DNSConfigPath string

	// LogOutput receives the log lines. As in memberlist, each line has its level in brackets and then "gwyh: ", so
	// level filters such as hashicorp/logutils work. All levels are written, including DEBUG, unless
	// LogOutput is io.Discard. Nil (the default) means that Logger is used, or standard error if there is no
	// Logger either. It must not be set together with Logger.
	LogOutput io.Writer
	// Logger receives the log lines, as described for LogOutput. While its output is io.Discard, DEBUG lines
	// are not formatted. Default nil.
	Logger *log.Logger
	// LogHandler receives each log line as a record with a level and without the prefix "[LEVEL] gwyh: ". The node calls its
	// Enabled for each line, and once a second for DEBUG; while that returns false, DEBUG lines are not
	// formatted. Default nil. It must not be set together with LogOutput or Logger.
	LogHandler slog.Handler

	// HandoffQueueDepth is the number of received datagrams of a Transport of your own that may be queued for the
	// node. Further ones are dropped and counted. Default 1024. 1 to 1048576.
	HandoffQueueDepth int

	// MemoryLimit bounds the memory of the node in bytes. It is the sum of the bounds of all queues and tables: what they
	// would take if all of them were full at once, under attack. An ordinary node takes a few MiB. The queues for the application,
	// the member table, and what the node remembers for repair and against duplicates get parts of it; see docs/LIMITS.md.
	// Not included are the garbage collector's overhead (set GOMEMLIMIT for that), the buffers of sockets, and what the
	// application keeps. Zero (the default) means 1152 MiB, and 5 MiB more for each of the Subscriptions above 5. From 960 MiB, and
	// as much more, to 64 GiB.
	MemoryLimit int64

	// UDPBufferSize is the size in bytes of the largest datagram that the node sends without path MTU
	// discovery, and the limit that GetBroadcasts is given. A larger broadcast is split. The node sends a peer at most 1200 bytes in one
	// datagram until it has seen that larger ones arrive. With a NetTransport on Linux it also searches for
	// the largest size that each path carries, up to 8952. From 1200, which every path carries, to 65507.
	// With a Transport of your own the maximum is 16777216; it then is only the limit that GetBroadcasts is
	// given, and datagrams still have at most 65507 bytes.
	UDPBufferSize int

	// CIDRsAllowed lists the networks that members may come from. Nil and empty (the default) mean all networks. IPv4
	// and IPv6 networks are listed separately. ParseCIDRs parses them.
	CIDRsAllowed []net.IPNet

	// MetricLabels are added to each metric. Default nil.
	MetricLabels []metrics.Label
	// Metrics receives the metrics of this node. Nil (the default) means the global sink of
	// armon/go-metrics, or of hashicorp/go-metrics with the build tag hashicorpmetrics. A sink that
	// blocks does not block the node.
	Metrics metrics.MetricSink

	// QueueCheckInterval is how often the lengths of the queues are published as metrics. Zero means never. The
	// presets set it to 30 s. Must not be negative.
	QueueCheckInterval time.Duration

	// RequireNodeNames rejects calls that identify a node by its address alone. Default false.
	RequireNodeNames bool

	// MsgpackUseNewTimeFormat has no meaning here, because no such time is on the wire.
	MsgpackUseNewTimeFormat bool
}

// DefaultLANConfig returns a Config for nodes in one data center, or in several that are near each other.
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

// DefaultWANConfig returns a Config for nodes that are far from each other, for example in several regions.
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

// DefaultLocalConfig returns a Config for nodes on one machine, for example in tests.
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

// hostname returns the host name, or the empty string, which validate rejects, if the system has none.
func hostname() string {
	name, _ := os.Hostname()
	return name
}

// Format formats the Config as fmt formats a struct, except that it shows only whether there is a SecretKey.
func (c Config) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), c.redacted())
}

// LogValue returns the fields as Format shows them, without the SecretKey.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", c.redacted())) }

// redacted returns the Config without its SecretKey, as a type that fmt prints field by field.
func (c Config) redacted() any {
	type fields Config
	if len(c.SecretKey) > 0 {
		c.SecretKey = []byte("redacted")
	}
	return fields(c)
}

// BuildVsnArray returns the protocol versions of the node in memberlist's order: minimum, maximum and current version of
// the library, then of the application.
func (c *Config) BuildVsnArray() []uint8 {
	return []uint8{
		ProtocolVersionMin, ProtocolVersionMax, c.ProtocolVersion,
		c.DelegateProtocolMin, c.DelegateProtocolMax, c.DelegateProtocolVersion,
	}
}

// EncryptionEnabled reports whether the Config has a key. Traffic is always encrypted, but without a
// configured key it is encrypted with the well-known default key.
func (c *Config) EncryptionEnabled() bool {
	return len(c.SecretKey) > 0 || c.Keyring != nil && c.Keyring.GetPrimaryKey() != nil
}

// IPMustBeChecked reports whether CIDRsAllowed restricts the addresses of members.
func (c *Config) IPMustBeChecked() bool { return len(c.CIDRsAllowed) > 0 }

// IPAllowed returns an error if CIDRsAllowed does not contain ip.
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

// ParseCIDRs parses networks such as "10.0.0.0/8" for Config.CIDRsAllowed. It returns all valid networks, and
// an error that joins one error for each invalid one.
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
	entryOverhead     = 220 // maximum bytes of a datagram with an entry, beyond name, zone and metadata
)

// validate returns a copy of c with slices of its own and with defaults in place of zeros. The error names all
// invalid fields. validate does not change c.
func (c *Config) validate() (*Config, error) {
	if c == nil {
		return nil, errors.New("bad Config: it is nil")
	}
	own := *c
	own.SecretKey = bytes.Clone(c.SecretKey)
	own.CIDRsAllowed = slices.Clone(c.CIDRsAllowed)
	own.MetricLabels = slices.Clone(c.MetricLabels)
	own.fillZeros(DefaultLANConfig())
	if own.labeled() {
		own.AllowLegacy = false
	}
	if bad := own.complaints(); len(bad) > 0 {
		return nil, fmt.Errorf("bad Config: %s", strings.Join(bad, "; "))
	}
	return &own, nil
}

// labels returns the one or two labels that the node accepts, its own first.
func (c *Config) labels() []string {
	if c.SkipInboundLabelCheck && c.PreviousLabel != c.Label {
		return []string{c.Label, c.PreviousLabel}
	}
	return []string{c.Label}
}

// labeled reports whether the node uses a label. Nodes of gwyh 0.1 know no labels.
func (c *Config) labeled() bool {
	return slices.ContainsFunc(c.labels(), func(l string) bool { return l != "" })
}

// fillZeros sets the fields of c to the values of d if they are zero and zero has no meaning of its own.
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
	fill(&c.MemoryLimit, memory.Default+memory.Links(c.Subscriptions))
	fill(&c.UDPBufferSize, d.UDPBufferSize)
}

// heartbeats returns the default HeartbeatInterval in ProbeIntervals. Packets that are too large for UDP travel over connections,
// and each packet may cost a connection, as with dskit's TCPTransport.
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

// complaints describes each invalid field of c: its name, its value and its bound. It shows no key.
func (c *Config) complaints() (bad []string) {
	reject := func(field string, value any, want string) {
		bad = append(bad, fmt.Sprintf("%s = %v, want %s", field, value, want))
	}
	within := func(field string, value, lower, upper int) {
		if value < lower || value > upper {
			reject(field, value, fmt.Sprintf("%d to %d", lower, upper))
		}
	}
	positive := func(field string, value time.Duration) {
		if value < 0 {
			reject(field, value, "no negative duration")
		}
	}
	short := func(field, value string, limit int) {
		if len(value) > limit {
			reject(field, fmt.Sprintf("%.16q... of %d bytes", value, len(value)), fmt.Sprintf("at most %d bytes", limit))
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
	if b := c.BeaconInterval; b != 0 && (b < time.Second || b > maxBeaconInterval) {
		reject("BeaconInterval", b, "1s to 5m, or 0 for no beacons")
	}
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
	if l, least := c.MemoryLimit, memory.Min+memory.Links(c.Subscriptions); l < least || l > memory.Max {
		reject("MemoryLimit", l, fmt.Sprintf("%d to %d", least, int64(memory.Max)))
	}
	within("UDPBufferSize", c.UDPBufferSize, minUDPBufferSize, largest)
	positive("QueueCheckInterval", c.QueueCheckInterval)
	return bad
}

// picksAdvertisePort reports whether Create chooses the advertised port, which then is the bound port.
func (c *Config) picksAdvertisePort() bool {
	return c.AdvertisePort == 0 || c.AdvertisePort == DefaultPort && c.BindPort == 0
}

// warnings describes settings that are valid but probably not intended.
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

// portWarning describes a Config in which only one of the two ports was set, or returns the empty string. In such a
// Config the node advertises a port that nothing listens on, unless something forwards it.
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

const (
	maxRebroadcastWindow = 30 * time.Second
	maxBeaconInterval    = 5 * time.Minute
)

// rebroadcastWindow returns the effective RebroadcastWindow, zero if it is switched off.
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

// node returns the configuration of the shell.
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

// core returns the configuration of the core.
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
		Allow: allow, Versions: [6]byte(c.BuildVsnArray()), Labeled: c.labeled(), AllowLegacy: c.AllowLegacy,
		Detection: swim.Config{ProbeInterval: c.ProbeInterval, ProbeTimeout: c.ProbeTimeout, IndirectChecks: orNone(c.IndirectChecks),
			SuspicionMult: c.SuspicionMult, SuspicionMaxTimeoutMult: c.SuspicionMaxTimeoutMult, AwarenessMaxMultiplier: c.AwarenessMaxMultiplier},
		DeadNodeReclaimTime: c.DeadNodeReclaimTime, GossipToTheDeadTime: c.GossipToTheDeadTime,
		PushPullInterval: orNone(c.PushPullInterval), PushPullNodes: c.PushPullNodes,
		Subscriptions: c.Subscriptions, Strategy: overlay.Strategy(c.DistributionStrategy), Heartbeat: c.HeartbeatInterval, Beacon: c.BeaconInterval,
		DatagramSize: min(c.UDPBufferSize, udp.MaxDatagram), DatagramMax: probed, DatagramTaken: udp.MaxDatagram, AnswerAdvertised: !udpTransport,
		Memory: memory.Divide(c.MemoryLimit, c.Subscriptions),
	}, nil
}

// orNone converts a value of the Config whose zero means none. The core expects a negative value for none.
func orNone[T int | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// keys returns the keys that the node may use now, and the warnings that they cause.
func (c *Config) keys() node.Keys {
	shared, k := preSharedKeys(c.Keyring)
	labels := c.labels()
	if limit := maxKeys / len(labels); len(shared) > limit {
		k.Warnings = append(k.Warnings, fmt.Sprintf("only the first %d of %d keys are accepted while SkipInboundLabelCheck is set", limit, len(shared)))
	}
	k.Keys = handshake.NewKeys(shared, labels...)
	return k
}

// log returns the log of the node. validate has ensured that at most one of its three fields is set.
func (c *Config) log() node.Log { return node.NewLog(c.Logger, c.LogOutput, c.LogHandler) }

// listen opens the NetTransport that c describes and writes the ports that were picked to c.
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

// advertised asks t for the address at which other nodes reach this one, and writes the resulting ports to c. An
// address that no node can reach is an error for a NetTransport and a warning for any other Transport.
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
