package gwyh

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// labeling holds the label settings of a Config.
type labeling struct {
	label    string
	skip     bool
	previous string
}

func (l labeling) apply(c *Config) {
	c.Label, c.SkipInboundLabelCheck, c.PreviousLabel = l.label, l.skip, l.previous
}

// A labeledCluster has the nodes n0, n1 and so on, which restart one after the other.
type labeledCluster struct {
	t     *testing.T
	net   MockNetwork
	nodes []*Memberlist
	heard []*recorder
	sent  int
}

// start starts node i and joins it to all others.
func (c *labeledCluster) start(i int, l labeling) {
	c.t.Helper()
	name := fmt.Sprint("n", i)
	r := newRecorder()
	conf := testConfig(name, r)
	conf.Transport = c.net.NewTransport(name)
	l.apply(conf)
	m := create(c.t, conf)
	var others []string
	for j, o := range c.nodes {
		if j != i {
			others = append(others, o.LocalNode().Address())
		}
	}
	if n, err := m.Join(others); n != len(others) || err != nil {
		c.t.Fatalf("%s with %+v: Join = %d, %v", name, l, n, err)
	}
	if i == len(c.nodes) {
		c.nodes, c.heard = append(c.nodes, m), append(c.heard, r)
	}
	c.nodes[i], c.heard[i] = m, r
}

// restart replaces node i by one with another labeling, as an operator does: the old node leaves first.
func (c *labeledCluster) restart(i int, l labeling) {
	c.t.Helper()
	for _, r := range c.heard {
		r.forget()
	}
	if err := c.nodes[i].Leave(5 * time.Second); err != nil {
		c.t.Fatal(err)
	}
	_ = c.nodes[i].Shutdown()
	c.start(i, l)
	time.Sleep(20 * time.Second)
	c.isWhole(fmt.Sprintf("n%d restarted with %+v", i, l), i)
}

// isWhole checks that all nodes know all others, that only the restarted node left, and that a message of each node
// reaches all others.
func (c *labeledCluster) isWhole(when string, restarted int) {
	c.t.Helper()
	for i, m := range c.nodes {
		if m.NumMembers() != len(c.nodes) {
			c.t.Fatalf("%s: n%d knows %v", when, i, names(m.Members()))
		}
		for _, e := range c.heard[i].told() {
			if strings.HasPrefix(e, "leave") && e != fmt.Sprint("leave n", restarted) {
				c.t.Errorf("%s: n%d was told %q", when, i, e)
			}
		}
		c.sent++
		msg := fmt.Sprint("message ", c.sent)
		if err := m.Broadcast([]byte(msg)); err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(time.Second)
		for j, r := range c.heard {
			if got := slices.Contains(r.messages(), msg); got != (i != j) {
				c.t.Errorf("%s: message of n%d at n%d: %v", when, i, j, got)
			}
		}
	}
}

// refuses checks that a node with another labeling cannot join.
func (c *labeledCluster) refuses(l labeling) {
	c.t.Helper()
	conf := testConfig("stranger", nil)
	conf.Transport = c.net.NewTransport("stranger")
	l.apply(conf)
	m := create(c.t, conf)
	if n, err := m.Join([]string{c.nodes[0].LocalNode().Address()}); n != 0 || err == nil {
		c.t.Errorf("a stranger with %+v joined", l)
	}
	_ = m.Shutdown()
}

func TestLabelIsIntroducedChangedAndRemovedByRollingRestartsWithoutLosingANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &labeledCluster{t: t}
		for i := range 5 {
			c.start(i, labeling{})
		}
		time.Sleep(20 * time.Second)
		// Each change restarts all nodes twice: the first time they accept both labels, the second time only the new one.
		for _, step := range []labeling{
			{label: "blue", skip: true}, {label: "blue"}, // introduced
			{label: "green", skip: true, previous: "blue"}, {label: "green"}, // changed
			{skip: true, previous: "green"}, {}, // removed
		} {
			for i := range c.nodes {
				c.restart(i, step)
			}
			for _, other := range []string{"", "blue", "green"} {
				if other != step.label && (!step.skip || other != step.previous) {
					c.refuses(labeling{label: other})
				}
			}
		}
	})
}

func TestOnlyTwoKeysAreAcceptedWhileTwoLabelsAre(t *testing.T) {
	var out bytes.Buffer
	c := testConfig("a", nil)
	c.SecretKey, c.Keyring = nil, testRing(t, []byte("sixteen byte kay"), []byte("sixteen byte key"), []byte("sixteen byte kez"))
	c.Label, c.SkipInboundLabelCheck, c.LogOutput = "blue", true, &out
	m := create(t, c)
	keys := m.config.keys().Keys
	_ = m.Shutdown()
	if len(keys) != 4 {
		t.Errorf("%d keys and labels are accepted", len(keys))
	}
	if !strings.Contains(out.String(), "[WARN] gwyh: only the first 2 of 3 keys are accepted while SkipInboundLabelCheck is set") {
		t.Errorf("%q", out.String())
	}
}

func TestNoLegacyNodeIsAllowedWhileAnyLabelIs(t *testing.T) {
	for name, c := range map[string]struct {
		labeling
		want bool
	}{
		"no label":         {labeling{}, true},
		"skip alone":       {labeling{skip: true}, true},
		"a label":          {labeling{label: "blue"}, false},
		"being introduced": {labeling{label: "blue", skip: true}, false},
		"being removed":    {labeling{skip: true, previous: "blue"}, false},
	} {
		conf := DefaultLANConfig()
		conf.AllowLegacy = true
		c.apply(conf)
		own, err := conf.validate()
		if err != nil || own.AllowLegacy != c.want {
			t.Errorf("%s: %v %v", name, own.AllowLegacy, err)
		}
	}
}
