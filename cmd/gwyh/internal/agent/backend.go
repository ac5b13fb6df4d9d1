package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

var _ api.Backend = (*Agent)(nil)

// metaTimeout bounds the announcement of new metadata.
const metaTimeout = 5 * time.Second

// Self describes the agent.
func (a *Agent) Self() api.Self {
	s := a.list.Stats()
	m := member(a.list.LocalNode())
	m.Self = true
	drops := make(map[string]uint64)
	for _, d := range a.list.Status().Drops {
		if d.Count > 0 {
			drops[d.Reason] = d.Count
		}
	}
	return api.Self{
		Member: m, Version: a.version, Started: a.started, Health: a.list.GetHealthScore(), Label: a.config.Label, Handlers: a.handled.Counts(),
		Stats: api.Stats{
			Members: s.Members, Links: s.Links, Subscriptions: s.Subscriptions, DefaultKey: s.DefaultKey, WeakKeys: s.WeakKeys,
			BroadcastsSent: s.BroadcastsSent, BroadcastsDelivered: s.BroadcastsDelivered, BroadcastsDuplicate: s.BroadcastsDuplicate,
			BroadcastsCrossZone: s.BroadcastsCrossZone, DatagramsSent: s.DatagramsSent, DatagramsReceived: s.DatagramsReceived,
			BytesSent: s.BytesSent, BytesReceived: s.BytesReceived, Dropped: s.Dropped, Drops: drops, EventsMissed: a.events.missed.Load(),
		},
	}
}

// Members returns the members, sorted by name.
func (a *Agent) Members() []api.Member {
	nodes := a.list.Members()
	self := a.list.LocalNode().ID
	all := make([]api.Member, len(nodes))
	for i, n := range nodes {
		all[i] = member(n)
		all[i].Self = n.ID == self
	}
	slices.SortFunc(all, func(x, y api.Member) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID)) })
	return all
}

// Links returns the neighbors, sorted by name.
func (a *Agent) Links() (links []api.Link) {
	for _, l := range a.list.Status().Links {
		links = append(links, api.Link{
			Name: l.Name, Addr: l.Addr.String(), Zone: l.Zone, RTT: api.Milliseconds(l.RTT), Loss: l.Loss, Backlog: l.Backlog,
			Datagram: l.MTU, Narrow: l.Narrow, Deaf: !l.DeafSince.IsZero(), Subscription: l.Subscription, Subscriber: l.Subscriber,
		})
	}
	return links
}

// Propagation returns how long gossip takes to this node.
func (a *Agent) Propagation() (p api.Propagation) {
	s := a.list.Status()
	for _, z := range s.Propagation {
		p.Zones = append(p.Zones, api.ZonePropagation{Zone: z.Zone, Count: z.Count, Median: api.Milliseconds(z.Median), P95: api.Milliseconds(z.P95),
			Max: api.Milliseconds(z.Max), Margin: api.Milliseconds(z.Margin), Heard: z.Heard})
	}
	for _, o := range s.Origins {
		p.Origins = append(p.Origins, api.Origin{Name: o.Name, Zone: o.Zone, Heard: o.Heard, Took: api.Milliseconds(o.Took), Overdue: o.Overdue})
	}
	return p
}

// Warnings returns the conditions that an operator should check.
func (a *Agent) Warnings() (warnings []api.Warning) {
	for _, w := range a.list.Status().Warnings {
		warnings = append(warnings, api.Warning{Code: string(w.Code), Text: inAgentWords(w.Text), Node: w.Node.Name, Since: w.Since})
	}
	return warnings
}

// Log returns the last lines of the log.
func (a *Agent) Log() []api.LogLine { return a.log.Lines() }

// Broadcast sends a message to the other agents. The agent itself gets no event.
func (a *Agent) Broadcast(name string, payload []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := a.list.Broadcast(encode(a.list.LocalNode().Name, name, payload))
	if _, ok := errors.AsType[*gwyh.TooLargeError](err); ok {
		return &api.RequestError{Err: err}
	}
	return err
}

// Join joins addresses. It takes at most slightly longer than the library's Config.TCPTimeout.
func (a *Agent) Join(ctx context.Context, addresses []string) (int, error) {
	type outcome struct {
		n   int
		err error
	}
	ended := make(chan outcome, 1)
	a.joining.Go(func() {
		n, err := a.list.Join(addresses)
		ended <- outcome{n, err}
	})
	select {
	case o := <-ended:
		return o.n, o.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Ping measures the round trip to a member, or to the node at an address.
func (a *Agent) Ping(_ context.Context, name, addr string) (time.Duration, error) {
	if addr == "" {
		members := a.list.Members()
		i := slices.IndexFunc(members, func(n *gwyh.Node) bool { return n.Name == name })
		if i < 0 {
			return 0, &api.RequestError{Err: fmt.Errorf("there is no member %q", name)}
		}
		addr = members[i].Address()
	}
	return a.list.Ping(name, udpAddr(addr))
}

// SetMeta publishes new metadata.
func (a *Agent) SetMeta(meta []byte) error {
	if len(meta) > gwyh.MetaMaxSize {
		return &api.RequestError{Err: fmt.Errorf("metadata of %d bytes, want at most %d", len(meta), gwyh.MetaMaxSize)}
	}
	a.meta.Store(&meta)
	err := a.list.UpdateNode(metaTimeout)
	a.noteSelf()
	return err
}

// Keys returns the keys of the agent, the primary one first.
func (a *Agent) Keys() (keys []api.Key) {
	for i, k := range a.keyring.GetKeys() {
		f := gwyh.KeyFingerprint(k)
		keys = append(keys, api.Key{Fingerprint: f, Primary: i == 0, Weak: f == ""})
	}
	return keys
}

// AddKey makes the agent accept a key.
func (a *Agent) AddKey(key []byte) error {
	if err := gwyh.ValidateKey(key); err != nil {
		return &api.RequestError{Err: err}
	}
	return a.changeKey(a.keyring.AddKey, key, "key is accepted")
}

// UseKey makes a key the primary key.
func (a *Agent) UseKey(k api.KeyRequest) error {
	return a.withKey(k, a.keyring.UseKey, "key is the primary one")
}

// RemoveKey makes the agent reject a key from now on.
func (a *Agent) RemoveKey(k api.KeyRequest) error {
	return a.withKey(k, a.keyring.RemoveKey, "key is no longer accepted")
}

// withKey changes the keyring with f for the key that a request names, and logs what is then true.
func (a *Agent) withKey(k api.KeyRequest, f func([]byte) error, done string) error {
	for _, key := range a.keyring.GetKeys() {
		if bytes.Equal(key, k.Key) || k.Fingerprint != "" && gwyh.KeyFingerprint(key) == k.Fingerprint {
			return a.changeKey(f, key, done)
		}
	}
	return &api.RequestError{Err: errors.New("the agent has no such key")}
}

// changeKey changes the keyring with f, and logs what is then true of the key. A key that can be guessed has no
// fingerprint.
func (a *Agent) changeKey(f func([]byte) error, key []byte, done string) error {
	if err := f(key); err != nil {
		return request(err)
	}
	a.lines.Info(done, "fingerprint", cmp.Or(gwyh.KeyFingerprint(key), "(weak key)"))
	return nil
}

// request marks an error as a fault of the request.
func request(err error) error {
	if err == nil {
		return nil
	}
	return &api.RequestError{Err: err}
}

// Leave makes the owner of the agent close it.
func (a *Agent) Leave() { a.leaveOnce.Do(func() { close(a.leaving) }) }

// Watch returns a channel that receives all events from now on.
func (a *Agent) Watch(ctx context.Context) <-chan api.Event { return a.events.watch(ctx) }
