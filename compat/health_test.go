package compat

import (
	"testing"
	"time"
)

func TestHealthScoreOfAHealthyNodeIsZero(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, _ := c.two()
		time.Sleep(time.Minute)
		c.same("score", a.GetHealthScore(), 0)
	})
}

func TestHealthScoreOfASlowNodeRises(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		c.net.lose(func(from, to *end) bool { return from == a.end || to == a.end })
		c.soon("a notices that it is itself unwell", func() bool { return a.GetHealthScore() > 0 })
	})
}
