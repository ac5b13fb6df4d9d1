package compat

import (
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// setMeta changes what NodeMeta returns.
func (a *app) setMeta(meta string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.meta = []byte(meta)
}

func TestUpdateNodeSpreadsMetadata(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		b.setMeta("rack 8")
		c.same("UpdateNode", b.UpdateNode(5*time.Second), error(nil))
		c.same("of b itself, when UpdateNode returns", []string{b.metaOf("b"), string(b.LocalNode().Meta)}, []string{"rack 8", "rack 8"})
		for _, n := range []*node{a, d} {
			c.soon("it spreads", func() bool { return n.metaOf("b") == "rack 8" })
			c.soon("it is told", func() bool { return len(n.calls("update")) > 0 })
			c.same("events", n.calls("update", "leave"), []string{"update b rack 8"})
		}
		c.same("events of b", b.calls("update"), []string{"update b rack 8"})
		c.same("limit of NodeMeta", b.limits, []int{memberlist.MetaMaxSize, memberlist.MetaMaxSize})
	})
}

func TestUpdateNodeWithoutAChangeNotifiesNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two(func(_ *memberlist.Config, a *app) { a.meta = []byte("rack 7") })
		c.same("UpdateNode", b.UpdateNode(5*time.Second), error(nil))
		time.Sleep(10 * time.Second)
		c.same("events", append(a.calls("update"), b.calls("update")...), []string(nil))
	})
}

func TestUpdateNodeOfALonelyNodeReturnsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		a.setMeta("rack 8")
		begin := time.Now()
		c.same("UpdateNode", a.UpdateNode(time.Minute), error(nil))
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
		c.same("metadata", a.metaOf("a"), "rack 8")
	})
}

func TestMetadataAbove512BytesIsRefusedByUpdateNode(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		a.setMeta(strings.Repeat("m", memberlist.MetaMaxSize+1))
		var err error
		with := panics(func() { err = a.UpdateNode(time.Second) })
		c.same("panics, error", []bool{with != nil, err != nil}, differs(t, "long-metadata", []bool{true, false}, []bool{false, true}))
		c.same("metadata", a.metaOf("a"), "")
	})
}

func TestNodesHandedOutAreNotWrittenAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two(func(_ *memberlist.Config, a *app) { a.meta = []byte("old") })
		var kept *memberlist.Node
		for _, m := range a.Members() {
			if m.Name == "b" {
				kept = m
			}
		}
		b.setMeta("new")
		c.same("UpdateNode", b.UpdateNode(5*time.Second), error(nil))
		c.soon("it spreads", func() bool { return a.metaOf("b") == "new" })
		c.same("the Node kept", string(kept.Meta), differs(t, "nodes-stay", "new", "old"))
	})
}

// gubernator sets its metadata in this way.
func TestMetadataWrittenIntoLocalNodeBeforeAJoinSpreads(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		c.join(a, d)
		b.LocalNode().Meta = []byte("written")
		c.join(a, b)
		for _, n := range []*node{a, d} {
			c.soon("it spreads", func() bool { return n.metaOf("b") == "written" })
			if onGwyh { // memberlist may first spread the initial metadata and then an update
				c.same("events", n.calls("update"), []string(nil))
			}
		}
		c.same("of b itself", []string{b.metaOf("b"), string(b.LocalNode().Meta)}, []string{"written", "written"})
	})
}

func TestMetadataSurvivesARejoin(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		b.setMeta("one")
		c.same("UpdateNode", b.UpdateNode(5*time.Second), error(nil))
		c.join(b, a)
		c.same("after Join", a.metaOf("b"), "one")
		b.setMeta("two")
		c.same("UpdateNode", b.UpdateNode(5*time.Second), error(nil))
		c.soon("it spreads", func() bool { return a.metaOf("b") == "two" })
		c.same("events", a.calls("update"), []string{"update b one", "update b two"})
	})
}
