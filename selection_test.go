package gwyh

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// selector selects the nodes with one name, and prefers those with another.
type selector struct {
	mu        sync.Mutex
	handed    map[string]NodeState
	selects   string
	preferred string
}

func (s *selector) SelectNodes(nodes []*NodeState) (selected []*NodeState, preferred *NodeState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handed = map[string]NodeState{}
	for _, n := range nodes {
		s.handed[n.Name] = *n
		if n.Name == s.selects {
			selected = append(selected, n, nil)
		}
		if n.Name == s.preferred {
			preferred = n
		}
	}
	return selected, preferred
}

func TestNodeSelectionIsAskedAboutAllMembersAndDecidesWhoIsChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &selector{selects: "b", preferred: "c"}
		var mock MockNetwork
		var nodes []*Memberlist
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			c := testConfig(name, newRecorder())
			c.Transport = mock.NewTransport(name)
			if name == "a" {
				c.NodeSelection = s
			}
			m, err := Create(c)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Shutdown() }()
			nodes = append(nodes, m)
		}
		for _, m := range nodes[1:] {
			if _, err := m.Join([]string{nodes[0].LocalNode().Address()}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		if got := nodes[0].Stats().Subscriptions; got != 2 {
			t.Errorf("%d nodes are chosen, want 2", got)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.handed) != 5 {
			t.Errorf("%d nodes were handed over, want 5, this one among them", len(s.handed))
		}
		d := s.handed["d"]
		if d.State != StateAlive || d.DeadOrLeft() {
			t.Errorf("the state of d is %v, want alive", d.State)
		}
		if d.StateChange.IsZero() {
			t.Error("the state of d has no time")
		}
		if d.Address() != nodes[3].LocalNode().Address() {
			t.Errorf("the address of d is %s", d.Address())
		}
	})
}

// A blocker is a NodeSelectionDelegate that blocks.
type blocker struct{ until chan struct{} }

func (b blocker) SelectNodes([]*NodeState) ([]*NodeState, *NodeState) {
	<-b.until
	return nil, nil
}

func TestNodeSelectionThatBlocksDelaysLinksForASecondOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mock MockNetwork
		c, d := testConfig("a", nil), testConfig("b", nil)
		b := blocker{make(chan struct{})}
		c.Transport, c.NodeSelection = mock.NewTransport("a"), b
		d.Transport, d.Subscriptions = mock.NewTransport("b"), 1
		nodes := []*Memberlist{create(t, c), create(t, d)}
		join(t, nodes[0], nodes[1])
		time.Sleep(3 * time.Second)
		if got := nodes[0].Stats().Subscriptions; got != 1 {
			t.Errorf("%d subscriptions after 3 s, want 1", got)
		}
		close(b.until)
	})
}
