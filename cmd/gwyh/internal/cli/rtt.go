package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// measuredMax bounds the members that one call measures.
const measuredMax = 1000

// A roundTrip is the measurement of one member.
type roundTrip struct {
	Name   string  `json:"name"`
	Addr   string  `json:"addr,omitempty"`
	Zone   string  `json:"zone,omitempty"`
	Median float64 `json:"median_ms,omitempty"`
	Least  float64 `json:"least_ms,omitempty"`
	Max    float64 `json:"max_ms,omitempty"`
	Error  string  `json:"error,omitempty"` // why the other fields are absent
}

func measure(ctx context.Context, s *session) error {
	if s.number < 1 || s.number > 100 {
		return usageError(fmt.Sprintf("-count %d, want 1 to 100", s.number))
	}
	var all []api.Member
	if err := s.agent.Get(ctx, "/v1/members", &all); err != nil {
		return err
	}
	var chosen []api.Member
	for _, m := range all {
		if !m.Self && (len(s.args) == 0 || slices.Contains(s.args, m.Name)) && len(chosen) < measuredMax {
			chosen = append(chosen, m)
		}
	}
	for _, name := range s.args {
		if !slices.ContainsFunc(chosen, func(m api.Member) bool { return m.Name == name }) {
			return fmt.Errorf("there is no other member %q", name)
		}
	}
	trips := make([]roundTrip, len(chosen))
	failed := 0
	for i, m := range chosen {
		trips[i] = s.measureOne(ctx, &m)
		if trips[i].Error != "" {
			failed++
		}
	}
	var gossip api.Propagation
	if err := s.agent.Get(ctx, "/v1/propagation", &gossip); err != nil {
		return err
	}
	err := s.print(report{trips, gossip}, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "NAME\tADDRESS\tZONE\tMEDIAN\tLEAST\tMOST")
		for _, t := range trips {
			if t.Error != "" {
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable(t.Name), t.Addr, dash(printable(t.Zone)), t.Error)
				continue
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(t.Name), t.Addr, dash(printable(t.Zone)), milliseconds(t.Median), milliseconds(t.Least), milliseconds(t.Max))
		}
		printPropagation(w, &gossip)
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d members did not answer", failed, len(trips))
	}
	return err
}

// A report is what gwyh rtt prints.
type report struct {
	RoundTrips  []roundTrip     `json:"round_trips"`
	Propagation api.Propagation `json:"propagation"`
}

// behindMax is the maximum number of overdue nodes that are listed.
const behindMax = 10

// printPropagation prints how long gossip takes, if the agent knows that.
func printPropagation(w io.Writer, p *api.Propagation) {
	if len(p.Zones) > 0 {
		_, _ = fmt.Fprintln(w, "\nGOSSIP FROM ZONE\tMEDIAN\t95 %\tMOST\tMARGIN\tBEACONS")
	}
	for _, z := range p.Zones {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\n", dash(printable(z.Zone)), milliseconds(z.Median), milliseconds(z.P95), milliseconds(z.Max), milliseconds(z.Margin), z.Count)
	}
	for i, o := range p.Origins {
		if !o.Overdue || i >= behindMax {
			return // those that are overdue come first
		}
		if i == 0 {
			_, _ = fmt.Fprintln(w, "\nBEHIND\tZONE\tLAST BEACON")
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", printable(o.Name), dash(printable(o.Zone)), o.Heard.Local().Format("15:04:05"))
	}
}

// measureOne measures one member. It stops at the first ping without an answer.
func (s *session) measureOne(ctx context.Context, m *api.Member) roundTrip {
	t := roundTrip{Name: m.Name, Addr: m.Addr, Zone: m.Zone}
	var took []float64
	for range s.number {
		var r api.PingResponse
		if err := s.agent.Post(ctx, "/v1/ping", api.PingRequest{Name: m.Name, Addr: m.Addr}, &r); err != nil {
			t.Error = err.Error()
			return t
		}
		took = append(took, r.RTT)
	}
	slices.Sort(took)
	t.Median, t.Least, t.Max = took[len(took)/2], took[0], took[len(took)-1]
	return t
}
