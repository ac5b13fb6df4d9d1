package node

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/dispatch"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Application holds the callbacks of a node. N is a member as the application sees it. The root package documents
// each method, and when it is called. A nil field is never called.
type Application[N any] struct {
	Delegate Delegate
	Events   Events[N]
	Conflict Conflict[N]
	Merge    Merge[N]
	Alive    Alive[N]
	Ping     Ping[N]
	// Select chooses among members. since[i] is the time at which members[i] entered its state.
	Select func(members []gossip.Member, since []time.Time) (selected []wire.NodeID, preferred wire.NodeID)
}

type (
	// Delegate has the methods of the root's Delegate, except NodeMeta, which the root calls itself.
	Delegate interface {
		NotifyMsg([]byte)
		GetBroadcasts(overhead, limit int) [][]byte
		LocalState(join bool) []byte
		MergeRemoteState(buf []byte, join bool)
	}
	// Events is the root's EventDelegate.
	Events[N any] interface {
		NotifyJoin(N)
		NotifyLeave(N)
		NotifyUpdate(N)
	}
	// Conflict is the root's ConflictDelegate.
	Conflict[N any] interface{ NotifyConflict(existing, other N) }
	// Merge is the root's MergeDelegate.
	Merge[N any] interface{ NotifyMerge(peers []N) error }
	// Alive is the root's AliveDelegate.
	Alive[N any] interface{ NotifyAlive(peer N) error }
	// Ping is the root's PingDelegate.
	Ping[N any] interface {
		AckPayload() []byte
		NotifyPingComplete(other N, rtt time.Duration, payload []byte)
	}
)

// answers reports whether the application has any callback that the puller calls.
func (a *Application[N]) answers() bool {
	provides := a.Delegate != nil || a.Ping != nil
	return provides || a.decides() || a.Select != nil
}

// decides reports whether the application accepts or rejects other nodes.
func (a *Application[N]) decides() bool { return a.Merge != nil || a.Alive != nil }

// handlers returns the callbacks for the dispatcher.
func (a *Application[N]) handlers(log Log) dispatch.Handlers[N] {
	h := dispatch.Handlers[N]{Log: log.Line}
	if d := a.Delegate; d != nil {
		h.Message = d.NotifyMsg
	}
	if e := a.Events; e != nil {
		h.Join, h.Update, h.Leave = e.NotifyJoin, e.NotifyUpdate, e.NotifyLeave
	}
	return h
}

// An asker passes the core's questions to the application and returns the answers to the core.
type asker[N any] struct {
	loop    *loop
	app     *Application[N]
	convert func(*gossip.Member) N
	deliver func() // waits until the application has received the pending events
}

// answer asks the application and passes the answer to the core. After Shutdown it does nothing.
func (a *asker[N]) answer(q *question) {
	if a.loop.isShutdown() {
		return
	}
	if pass := a.ask(&q.event); pass != nil {
		_ = a.loop.do(pass)
	}
}

// ask asks the application. It returns a function that passes the answer to the core, or nil if there is no answer.
func (a *asker[N]) ask(e *event.Event) (pass func(now time.Time)) {
	core := a.loop.core
	switch e.Kind {
	case event.StateWanted:
		state := a.app.Delegate.LocalState(e.Joining)
		return func(now time.Time) { core.AnswerState(now, e.State, state) }
	case event.State:
		a.deliver() // the application must know a member before it gets the member's state
		if a.loop.isShutdown() {
			return nil
		}
		a.app.Delegate.MergeRemoteState(e.Data, e.Joining)
		return func(now time.Time) { core.StateMerged(now, e.State) }
	case event.MergeAsked:
		nodes := make([]N, len(e.Peers))
		for i := range e.Peers {
			nodes[i] = a.convert(&e.Peers[i])
		}
		err := a.app.Merge.NotifyMerge(nodes)
		return func(now time.Time) { core.AnswerMerge(now, e.State, err) }
	case event.AliveAsked:
		err := a.app.Alive.NotifyAlive(a.convert(&e.Member))
		return func(now time.Time) { core.AnswerAlive(now, e.Vote, err) }
	case event.PayloadWanted:
		payload := a.app.Ping.AckPayload()
		return func(now time.Time) { core.SetAckPayload(now, payload) }
	case event.SelectionWanted:
		selected, preferred := a.app.Select(e.Peers, e.Since)
		return func(now time.Time) { core.SetSelection(now, selected, preferred) }
	}
	return nil
}
