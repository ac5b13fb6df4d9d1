package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

func quiet(string, int, int) {}

func quickPlan() Plan {
	return Plan{
		Config:    Config{Seed: 1, Nodes: 50, Core: LAN(), Map: Regions(5), Link: simnet.Link{Loss: 0.01}},
		FormLimit: 30 * time.Second, Idle: 5 * time.Second, Duration: 2 * time.Second, Rate: 20, Size: 256, Crashes: 2,
	}
}

func TestPlanReportsWhatAClusterDoesAndCosts(t *testing.T) {
	p := quickPlan()
	r, err := p.Run(context.Background(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	b, f := r.Broadcast, r.Failure
	switch {
	case r.Formation.Whole <= 0:
		t.Errorf("the cluster was whole after %v, want more than 0", r.Formation.Whole)
	case b.Messages != 40:
		t.Errorf("%v messages were sent, want 40", b.Messages)
	case b.Wanted != 40*49:
		t.Errorf("%v deliveries are wanted, want %v", b.Wanted, 40*49)
	case b.Missing != 0:
		t.Errorf("%v deliveries are missing, want 0", b.Missing)
	case b.Again != 0:
		t.Errorf("%v messages were delivered again, want 0", b.Again)
	case b.Refused != 0:
		t.Errorf("%v messages were refused, want 0", b.Refused)
	}
	switch {
	case b.Median.P50 <= 0:
		t.Errorf("the median of the median deliveries is %v, want more than 0", b.Median.P50)
	case b.Median.P50 > b.Last.P50:
		t.Errorf("the median of the median deliveries is %v, want at most %v", b.Median.P50, b.Last.P50)
	case b.Last.P50 > b.Last.P99:
		t.Errorf("the median of the last deliveries is %v, want at most %v", b.Last.P50, b.Last.P99)
	case b.Last.P99 > b.Last.Max:
		t.Errorf("the 99th percentile of the last deliveries is %v, want at most %v", b.Last.P99, b.Last.Max)
	}
	switch {
	case b.Copies < 2:
		t.Errorf("%v copies reached each node, want at least 2", b.Copies)
	case b.Copies > 15:
		t.Errorf("%v copies reached each node, want at most 15", b.Copies)
	case b.CrossZone <= 0:
		t.Errorf("%v copies crossed zones, want more than 0", b.CrossZone)
	case b.CrossZone > b.Copies:
		t.Errorf("%v copies crossed zones, want at most %v", b.CrossZone, b.Copies)
	}
	switch {
	case f.Crashes != 2:
		t.Errorf("%v nodes crashed, want 2", f.Crashes)
	case f.Unnoticed != 0:
		t.Errorf("%v crashes went unnoticed, want 0", f.Unnoticed)
	case f.Suspected.Max <= 0:
		t.Errorf("the last suspicion came after %v, want more than 0", f.Suspected.Max)
	case f.Suspected.Max > f.Known.Max:
		t.Errorf("the last suspicion came after %v, want at most %v", f.Suspected.Max, f.Known.Max)
	}
	if i := r.Idle; i.Mean.SentPackets <= 0 || i.Busiest.SentPackets < i.Mean.SentPackets || len(i.Between) != 25 {
		t.Errorf("idle %+v", i)
	}
	var sum float64
	for _, f := range b.Usage.Between {
		sum += f.Packets
	}
	switch across, _ := b.Usage.Across(); {
	case sum < b.Usage.All.SentPackets*0.999:
		t.Errorf("the sum is %v, want at least %v", sum, b.Usage.All.SentPackets*0.999)
	case sum > b.Usage.All.SentPackets*1.001:
		t.Errorf("the sum is %v, want at most %v", sum, b.Usage.All.SentPackets*1.001)
	case across <= 0:
		t.Errorf("%v messages crossed zones, want more than 0", across)
	case across >= sum:
		t.Errorf("%v messages crossed zones, want less than %v", across, sum)
	}
}

func TestPlanOfOneSeedIsOneReport(t *testing.T) {
	run := func(seed uint64) string {
		p := quickPlan()
		p.Nodes, p.Seed, p.Idle = 20, seed, 0
		r, err := p.Run(context.Background(), quiet)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if a, b := run(7), run(7); a != b {
		t.Errorf("seed 7 gave\n%s\nand\n%s", a, b)
	}
	if a, b := run(7), run(8); strings.Replace(a, `"seed":7`, `"seed":8`, 1) == b {
		t.Error("seeds 7 and 8 gave the same")
	}
}

func TestFormedClusterNeedsNoJoin(t *testing.T) {
	c := New(Config{Seed: 1, Nodes: 60, Core: LAN(), Map: Regions(3), Formed: true})
	if wrong := c.Wrong(3); wrong != nil {
		t.Fatal(wrong)
	}
	took, err := c.Form(10 * time.Second)
	if err != nil || took > 3*time.Second {
		t.Fatalf("whole after %v, %v", took, err)
	}
	m, err := c.Broadcast(c.Nodes[7], 100)
	if err != nil {
		t.Fatal(err)
	}
	falls := c.Kill(c.Nodes[30])
	if !c.AwaitKnown(falls, time.Minute) {
		t.Errorf("not all know of the crash: %+v", falls[0])
	}
	if !m.Whole() {
		t.Errorf("the message is not everywhere: %+v", m)
	}
	if !c.True() {
		t.Errorf("wrong: %v", c.Wrong(3))
	}
	c.Restart(c.Nodes[30], c.Nodes[3])
	if _, err := c.AwaitWhole(10 * time.Second); err != nil || !c.True() {
		t.Errorf("%v, %v", err, c.Wrong(3))
	}
}

func TestPlanEndsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := quickPlan()
	_, err := p.Run(ctx, func(phase string, _, _ int) {
		if phase == "idling" {
			cancel()
		}
	})
	if err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

func TestDurationsAreMillisecondsInJSON(t *testing.T) {
	b, err := json.Marshal(Millis(1234567 * time.Nanosecond))
	if err != nil || string(b) != "1.235" {
		t.Errorf("%s, %v", b, err)
	}
}

func TestMapIsReadAndChecked(t *testing.T) {
	m, err := ReadMap(strings.NewReader("ms,here,there\nhere,0.25,80\nthere,79,1\n"))
	switch {
	case err != nil:
		t.Error(err)
	case len(m.Zones) != 2:
		t.Errorf("there are %v zones, want 2", len(m.Zones))
	case m.Zones[1] != "there":
		t.Errorf("m.Zones[1] is %q, want %q", m.Zones[1], "there")
	case m.Latencies[0][0] != 250*time.Microsecond:
		t.Errorf("the latency within the first zone is %v, want %v", m.Latencies[0][0], 250*time.Microsecond)
	case m.Latencies[1][0] != 79*time.Millisecond:
		t.Errorf("the latency between the zones is %v, want %v", m.Latencies[1][0], 79*time.Millisecond)
	}
	for text, want := range map[string]string{
		"":                                  "want a row of 1 to 256 zone names",
		"x,a,b\na,1,2\n":                    "one row for each",
		"x,a,b\na,1,2\nc,1,2\n":             `row 3 is that of "c", want "b"`,
		"x,a,b\na,1,2\nb,1,far\n":           `row 3: latency "far"`,
		"x,a,b\na,1,-2\nb,1,1\n":            `row 2: latency "-2"`,
		"x,a\na,NaN\n":                      `row 2: latency "NaN"`,
		"x,a,b\na,1\nb,1,2\n":               "wrong number of fields",
		"x,\n,1\n":                          `row 2 is that of ""`,
		fmt.Sprint("x,a\na,", 60_001, "\n"): `latency "60001"`,
	} {
		if m, err := ReadMap(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, error %v, want %q", text, m, err, want)
		}
	}
}

func TestRegionsAreSymmetric(t *testing.T) {
	m := Regions(RegionsMax)
	for i := range m.Zones {
		for j := range m.Zones {
			if m.Latencies[i][j] != m.Latencies[j][i] || (i == j) != (m.Latencies[i][j] < 10*time.Millisecond) {
				t.Errorf("%s to %s takes %v, back %v", m.Zones[i], m.Zones[j], m.Latencies[i][j], m.Latencies[j][i])
			}
		}
	}
}
