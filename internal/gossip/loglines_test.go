package gossip

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// clearLogs removes the log lines of all nodes.
func (c *cluster) clearLogs() {
	for _, n := range c.nodes {
		n.logs = nil
	}
}

// atLevel returns the lines of a level without their common prefix.
func (n *node) atLevel(level string) (lines []string) {
	for _, l := range n.logs {
		if rest, ok := strings.CutPrefix(l, "["+level+"] gwyh: "); ok {
			lines = append(lines, rest)
		}
	}
	return lines
}

// wantLines checks that the lines of a node match the patterns exactly, in any order.
func (n *node) wantLines(t *testing.T, level string, patterns ...string) {
	t.Helper()
	lines := n.atLevel(level)
	for _, p := range patterns {
		i := slices.IndexFunc(lines, regexp.MustCompile("^"+p+"$").MatchString)
		if i < 0 {
			t.Errorf("%s wrote no line %s; all: %q", n.cfg.Name, p, n.logs)
			return
		}
		lines = slices.Delete(lines, i, i+1)
	}
	if len(lines) > 0 {
		t.Errorf("%s also wrote %q", n.cfg.Name, lines)
	}
}

// about returns the pattern for a member in a line.
func (c *cluster) about(i int) string {
	return regexp.QuoteMeta(fmt.Sprintf("member %q (%s)", c.nodes[i].cfg.Name, c.nodes[i].addr))
}

// without returns the running nodes except the given ones.
func (c *cluster) without(out ...int) (others []*node) {
	for i, n := range c.nodes {
		if !slices.Contains(out, i) {
			others = append(others, n)
		}
	}
	return others
}

func TestJoinsAreLoggedWithNameAddressAndZone(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		if i == 2 {
			cfg.Zone = wire.Zone{Name: "eu", Valid: true}
		}
	}
	c.add(3)
	c.form(5 * time.Second)
	c.net.RunFor(time.Minute)
	for i, n := range c.nodes {
		var want []string
		for k := range c.nodes {
			switch {
			case k == i:
			case k == 2:
				want = append(want, c.about(k)+` joined in zone "eu"`)
			default:
				want = append(want, c.about(k)+" joined")
			}
		}
		n.wantLines(t, "INFO", want...)
	}
}

func TestCrashIsLoggedOnceByEverySurvivor(t *testing.T) {
	c := formed(t, 6)
	c.clearLogs()
	c.net.Crash(c.nodes[4].addr)
	c.net.RunFor(time.Minute)
	for _, n := range c.without(4) {
		n.wantLines(t, "INFO", c.about(4)+` failed, detected by (this node|"node-\d"): its last packet arrived [\d.]+s ago`)
		n.wantLines(t, "WARN")
	}
}

func TestDepartureAndReturnAreLogged(t *testing.T) {
	c := formed(t, 6)
	c.clearLogs()
	c.do(4, c.nodes[4].Leave)
	c.net.RunFor(5 * time.Second)
	for _, n := range c.without(4) {
		n.wantLines(t, "INFO", c.about(4)+" left")
	}
	c.nodes[4].wantLines(t, "INFO", "this node leaves")
	c.clearLogs()
	c.join(4, 0)
	c.net.RunFor(5 * time.Second)
	for _, n := range c.without(4) {
		n.wantLines(t, "INFO", c.about(4)+" joined")
	}
	c.nodes[4].wantLines(t, "INFO", "this node is a member again after it left")
}

// runAgain replaces a node by another run of it.
func (c *cluster) runAgain(i int) {
	c.nodes[i] = c.make(i)
	c.net.Restart(c.nodes[i].addr, c.nodes[i])
	c.join(i, 0)
}

func TestRestartsAreLogged(t *testing.T) {
	for _, x := range []struct {
		away time.Duration
		want []string
	}{
		{time.Second, []string{"%s was restarted"}},
		{20 * time.Second, []string{`%s failed, .*`, `%s is back: it was restarted after it failed 1\d\.?\d*s ago`}},
	} {
		t.Run(x.away.String(), func(t *testing.T) {
			c := formed(t, 6)
			c.clearLogs()
			c.net.Crash(c.nodes[4].addr)
			c.net.RunFor(x.away)
			c.runAgain(4)
			c.net.RunFor(20 * time.Second)
			var want []string
			for _, w := range x.want {
				want = append(want, fmt.Sprintf(w, c.about(4)))
			}
			for _, n := range c.without(4) {
				n.wantLines(t, "INFO", want...)
			}
		})
	}
}

func TestRecoveryOfAMemberIsLogged(t *testing.T) {
	c := formed(t, 6)
	c.clearLogs()
	block := c.net.Partition(c.addrs(4, 5), append(c.addrs(0, 4), c.nodes[5].addr))
	c.net.RunFor(time.Minute)
	block.Heal()
	c.net.RunFor(2 * time.Minute)
	for _, n := range c.without(4) {
		n.wantLines(t, "INFO", c.about(4)+" failed, .*", c.about(4)+` is back: it had failed [\dms.]+ ago`)
	}
	if heard := strings.Join(c.nodes[4].atLevel("INFO"), "\n"); !strings.Contains(heard, "this node hears other nodes again, after ") {
		t.Errorf("the one that was cut off wrote %q", heard)
	}
}

func TestNameConflictSaysWhoKeepsTheNameAndWhoIsOut(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(4)
	c.form(time.Second)
	c.namesake("node-2")
	c.add(1)
	c.clearLogs()
	c.join(4, 0)
	c.net.RunFor(9 * time.Second)
	keeps, out := regexp.QuoteMeta(c.nodes[2].addr.String()), regexp.QuoteMeta(c.nodes[4].addr.String())
	c.nodes[4].wantLines(t, "WARN", `the node at `+keeps+` has this node's name "node-2", .*`)
	c.nodes[0].wantLines(t, "WARN", `two nodes have the name "node-2": the one at `+keeps+` keeps it, the one at `+out+` is not a member`)
	if lines := c.nodes[2].atLevel("WARN"); len(lines) > 0 { // if it learns about the other node at all
		c.nodes[2].wantLines(t, "WARN", `this node keeps the name "node-2", which it has had for longer: the node at `+out+` is not a member`)
	}
}

func TestPartitionAndItsEndAreLogged(t *testing.T) {
	c := formed(t, 6)
	c.clearLogs()
	c.split(3, 65*time.Second, 3*time.Minute)
	c.net.RunFor(time.Minute)
	for i, n := range c.nodes {
		want := []string{"3 of 6 members failed within [\\dms.]+: the network is partitioned, or they crashed together",
			"3 of 3 members that failed together are back, 1m[\\d.]+s after the first of them failed: the partition is over"}
		for k := range c.nodes {
			if i/3 != k/3 {
				want = append(want, c.about(k)+" failed, .*", c.about(k)+" is back: .*")
			}
		}
		n.wantLines(t, "INFO", want...)
	}
}

func TestRestartOfManyMembersIsNoPartition(t *testing.T) {
	c := formed(t, 6)
	c.clearLogs()
	for i := 4; i < 6; i++ {
		c.net.Crash(c.nodes[i].addr)
	}
	c.net.RunFor(40 * time.Second)
	for i := 4; i < 6; i++ {
		c.runAgain(i)
	}
	c.net.RunFor(10 * time.Second)
	for _, n := range c.without(4, 5) {
		lines := slices.DeleteFunc(n.atLevel("INFO"), func(l string) bool { return strings.HasPrefix(l, "member ") })
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "2 of 6 members failed within ") || !strings.HasSuffix(lines[1], ": they were restarted") {
			t.Errorf("%s wrote %q", n.cfg.Name, lines)
		}
	}
}

func TestDatagramSizeThatIsFoundIsLogged(t *testing.T) {
	c := probing(t, 65_507, 0)
	c.net.RunFor(30 * time.Second)
	for i, n := range c.nodes {
		n.wantLines(t, "INFO", c.about(1-i)+" joined", fmt.Sprintf(`datagrams of 89\d\d bytes reach "node-%d"`, 1-i))
	}
	c.clearLogs()
	c.net.RunFor(time.Hour) // searches that find the same size
	c.nodes[0].wantLines(t, "INFO")
	c.setMTU(1300)
	c.spread(0, []byte(payload(1<<20, 1)), 10*time.Second)
	c.net.RunFor(time.Minute)
	if lines := c.nodes[0].atLevel("WARN"); len(lines) == 0 || !strings.Contains(lines[0], `bytes to "node-1" do not arrive`) {
		t.Errorf("on a path that became narrower: %q", c.nodes[0].logs)
	}
}

func TestManyDeathsAtOnceAreTenLinesAndASummary(t *testing.T) {
	const size, dead = 60, 50
	c := formed(t, size)
	c.net.RunFor(20 * time.Second)
	c.clearLogs()
	for _, n := range c.nodes[size-dead:] {
		c.net.Crash(n.addr)
	}
	c.net.RunFor(2 * time.Minute)
	for _, n := range c.nodes[:size-dead] {
		lines, written, leftOut := n.atLevel("INFO"), 0, 0
		for _, l := range lines {
			var more int
			if strings.HasPrefix(l, "member ") {
				written++
			} else if _, err := fmt.Sscanf(l, "and %d more members failed", &more); err == nil {
				leftOut += more
			}
		}
		if written+leftOut != dead {
			t.Errorf("%s wrote of %d deaths, and that there were %d more: %q", n.cfg.Name, written, leftOut, lines)
		}
		if len(lines) > 50 {
			t.Errorf("%s wrote %d lines", n.cfg.Name, len(lines))
		}
	}
}

// debugged returns a cluster that logs at DEBUG.
func debugged(t *testing.T, size int) *cluster {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.Debug = true }
	c.add(size)
	c.form(5 * time.Second)
	return c
}

func TestDebugLinesShowHandshakesLinksChoicesProbesAndSuspicions(t *testing.T) {
	c := debugged(t, 6)
	c.net.RunFor(10 * time.Second)
	c.net.Crash(c.nodes[4].addr)
	c.net.RunFor(20 * time.Second)
	var all []string
	for _, n := range c.without(4) {
		all = append(all, n.atLevel("DEBUG")...)
	}
	for _, p := range []string{
		`beginning a handshake with 10\.0\.0\.\d:6969`, `completed a handshake with "node-\d" at 10\.0\.0\.\d:6969, begun by (this|the other) node`,
		`the link with "node-\d" began`, `the link with "node-4" ended`, `chose 5 of 5 other members to subscribe to: \[.*"node-3".*\]`,
		"probing " + c.about(4) + ", which is silent or does not hear this node", `asked 3 other nodes to probe ` + c.about(4) + " too",
		c.about(4) + " did not answer the probe", `(this node|"node-\d") suspects that ` + c.about(4) + " has failed",
	} {
		if !slices.ContainsFunc(all, regexp.MustCompile("^"+p+"$").MatchString) {
			t.Errorf("no line %s", p)
		}
	}
}

func TestRefutationIsADebugLine(t *testing.T) {
	c := debugged(t, 6)
	c.net.RunFor(10 * time.Second)
	c.clearLogs()
	c.accuse(0, 1)
	c.net.RunFor(5 * time.Second)
	c.nodes[0].wantLines(t, "DEBUG", "this node suspects that "+c.about(1)+" has failed", c.about(1)+" is alive: it refuted the suspicion")
	c.nodes[1].wantLines(t, "WARN", "other nodes consider this node suspect: sending a refutation")
}

func TestClusterAtRestWritesNothing(t *testing.T) {
	c := debugged(t, 30)
	c.net.RunFor(time.Minute)
	c.clearLogs()
	c.net.RunFor(2 * time.Minute)
	for _, n := range c.nodes {
		if len(n.logs) > 0 {
			t.Errorf("%s wrote %q", n.cfg.Name, n.logs)
		}
	}
}

func TestMessagesWriteNothing(t *testing.T) {
	c := debugged(t, 20)
	c.net.RunFor(time.Minute)
	c.clearLogs()
	for i := range 2000 {
		c.do(i%20, func(now time.Time) { _ = c.nodes[i%20].Broadcast(now, []byte(payload(300, byte(i)))) })
		if i%100 == 0 {
			c.net.RunFor(100 * time.Millisecond)
		}
	}
	c.broadcast(3, payload(100_000, 1), 5*time.Second)
	for _, n := range c.nodes {
		if len(n.logs) > 0 {
			t.Errorf("%s wrote %q", n.cfg.Name, n.logs)
		}
	}
}

func TestDebugLinesAreWrittenOnlyIfWanted(t *testing.T) {
	c := formed(t, 6)
	c.net.Crash(c.nodes[4].addr)
	c.net.RunFor(20 * time.Second)
	n := c.nodes[0]
	n.wantLines(t, "DEBUG")
	n.SetDebug(true)
	c.net.Crash(c.nodes[3].addr)
	c.net.RunFor(20 * time.Second)
	if len(n.atLevel("DEBUG")) == 0 {
		t.Error("nothing is written after SetDebug")
	}
}

// The peers choose names, zones and reasons.
func TestPeerCannotForgeALineOfTheLog(t *testing.T) {
	const forged = "x\n[ERR] gwyh: forged"
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		cfg.Debug, cfg.DatagramMax = true, DatagramProbed
		if i > 0 {
			cfg.Name, cfg.Zone = fmt.Sprint(forged, min(i, 4)), wire.Zone{Name: forged, Valid: true} // the last two have the same name
		}
		if i == 6 {
			cfg.Versions = [6]byte{9, 9, 9, 9, 9, 9}
		}
	}
	c.add(7)
	for i := range c.nodes[1:] {
		c.join(i+1, 0)
	}
	c.net.RunFor(10 * time.Second)
	c.net.Crash(c.nodes[1].addr)
	c.do(2, c.nodes[2].Leave)
	c.net.RunFor(30 * time.Second)
	c.runAgain(1)
	c.net.RunFor(30 * time.Second)
	seen := 0
	for _, n := range c.nodes {
		for _, l := range n.logs {
			if strings.Contains(l, "forged") {
				seen++
			}
			if strings.ContainsAny(l, "\n\r") {
				t.Errorf("%q", l)
			}
		}
	}
	if seen == 0 {
		t.Error("no line has a name")
	}
}

func BenchmarkDebugLine(b *testing.B) {
	for _, wanted := range []bool{false, true} {
		b.Run(fmt.Sprint(wanted), func(b *testing.B) {
			c := newCluster(b, 1, lan())
			c.add(1)
			n := c.nodes[0]
			n.SetDebug(wanted)
			now := c.net.Now()
			b.ReportAllocs()
			for b.Loop() {
				n.report.Detection(now, &swim.Action{Kind: swim.Suspected, Member: n.members.Self(), By: n.cfg.ID})
				if now = now.Add(logbook.Interval / 50); wanted {
					n.Events()
				}
			}
		})
	}
}
