package node

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config holds what New makes a Node of. The caller has checked it. N is a member as the application sees it.
type Config[N any] struct {
	// Core configures the core. New sets ID, Suite, Rand, Keys, Own, Unsent and Debug, and the fields that depend on
	// the Application.
	Core        gossip.Config
	Application Application[N]
	Transport   Transport

	Convert func(*gossip.Member) N // makes an N; it does not keep the Member, but may keep its slices
	ID      func(N) wire.NodeID    // returns the id of an N that Convert made
	Meta    func(N) []byte         // returns the metadata that an N has now: the application may change it
	Public  func(error) error      // turns an error of this package or the core into one of the API; nil stays nil
	Log     Log

	Keys      func() Keys                        // returns the current keys
	WatchKeys func(changed func()) (stop func()) // calls changed after each change; nil if the keys never change

	Port         int           // of an address that the application passes without one
	RequireNames bool          // if true, an address without a node name is an error
	Timeout      time.Duration // of Join and Send, and of transport writes in progress at Shutdown

	PollInterval      time.Duration // of GetBroadcasts; zero disables polling
	PollLimit         int           // bytes available to a poll; zero means what fits in one datagram
	RebroadcastWindow time.Duration // see the root's Config; zero disables it
	InboxDepth        int           // maximum number of received datagrams that wait for the loop

	Metrics            metrics.MetricSink // nil means the sink of the process
	MetricLabels       []metrics.Label
	QueueCheckInterval time.Duration // interval of the metrics of queue lengths; zero disables them
}
