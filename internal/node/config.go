package node

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config is what a Node is made of. It has been checked by the caller. N is a member as the application sees it.
type Config[N any] struct {
	// Core is the core's part. New sets ID, Suite, Rand, Keys, Own, Unsent and Debug, and what the core asks the
	// Application.
	Core        gossip.Config
	Application Application[N]
	Transport   Transport

	Convert func(*gossip.Member) N // makes an N; it does not keep the Member, but may keep its slices
	ID      func(N) wire.NodeID    // of an N that Convert made
	Meta    func(N) []byte         // the metadata that is in an N now: the application may write there
	Public  func(error) error      // turns an error of this package or the core into one of the API; nil stays nil
	Log     Log

	Keys      func() Keys                        // as they are now
	WatchKeys func(changed func()) (stop func()) // calls changed after each change; nil if there are none

	Port         int           // of an address that the application gives without one
	RequireNames bool          // an address of the application without a name is an error
	Timeout      time.Duration // of Join and Send, and of writes of the transport in progress at Shutdown

	PollInterval      time.Duration // of GetBroadcasts; zero for no polls
	PollLimit         int           // bytes that a poll has room for; zero means what goes in one datagram
	RebroadcastWindow time.Duration // see the root's Config; zero for none
	InboxDepth        int           // received datagrams that may wait for the loop

	Metrics            metrics.MetricSink // nil: that of the process
	MetricLabels       []metrics.Label
	QueueCheckInterval time.Duration // at which the metrics tell the lengths of queues; zero for never
}
