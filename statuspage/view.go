package statuspage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/status"
)

// A view is the content of the page. The template renders it, and the script gets it as JSON.
type view struct {
	At       int64   `json:"at"` // Unix milliseconds
	Self     string  `json:"self"`
	Addr     string  `json:"addr"`
	Zone     string  `json:"zone"`
	ID       string  `json:"id"`
	Down     bool    `json:"down"` // the node was shut down
	Tiles    []tile  `json:"tiles"`
	Warnings []alert `json:"warnings"`
	Tables   []table `json:"-"`
}

// A tile is one number of the overview.
type tile struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Note  string `json:"note"`
	Class string `json:"class"` // "", "good", "warn" or "bad"
	Chart string `json:"chart"` // the series drawn below it; empty for none
}

// An alert is a warning of the node.
type alert struct {
	Code  string `json:"code"`
	Text  string `json:"text"`
	About string `json:"about"` // a node's name; empty for this node
	Since int64  `json:"since"` // Unix milliseconds; 0 if unknown
}

// A table is one table of the page.
type table struct {
	Name    string // unique
	View    string // the part of the page that shows it
	Title   string
	Help    string
	Empty   string // shown if the table has no rows
	Filter  bool   // the table has a filter field
	Columns []column
	Rows    []row
}

// A column is a column of a table. The first column is the heading of each row.
type column struct {
	Label  string
	Number bool
	Extra  bool // hidden on a narrow screen
}

// A row is one line of a table.
type row struct {
	ID    string         `json:"id"`
	Cells []cell         `json:"c"`
	Data  map[string]any `json:"d,omitempty"` // for the graph
}

// A cell is one value of a row.
type cell struct {
	Text  string    `json:"t"`
	Sort  any       `json:"s,omitempty"` // sort key; nil: Text
	Class string    `json:"c,omitempty"` // a badge of this kind
	Time  int64     `json:"m,omitempty"` // Unix milliseconds; the script shows how long ago that was
	Bar   float64   `json:"b,omitempty"` // from 0 to 1: the length of a bar behind the text
	Lags  []float64 `json:"l,omitempty"` // milliseconds: a strip with one mark each
}

// In returns the tables of one part of the page.
func (v *view) In(part string) (list []table) {
	for _, t := range v.Tables {
		if t.View == part {
			list = append(list, t)
		}
	}
	return list
}

func text(s string) cell { return cell{Text: s} }

func number(s string, by float64) cell { return cell{Text: s, Sort: by} }

func badge(s, kind string) cell { return cell{Text: s, Class: kind} }

func moment(now, t time.Time) cell {
	if t.IsZero() {
		return cell{Text: "–", Sort: 0}
	}
	return cell{Text: ago(now, t), Sort: t.UnixMilli(), Time: t.UnixMilli()}
}

// viewOf returns the view of a node. m is nil if no browser watches.
func viewOf(s *status.Status, stats gwyh.Stats, m *messages) *view {
	v := &view{At: s.At.UnixMilli(), Self: s.Self.Name, Zone: s.Self.Zone, ID: s.Self.ID, Down: s.At.IsZero()}
	if v.Down {
		v.At = time.Now().UnixMilli()
	} else {
		v.Addr = s.Self.Addr.String()
	}
	v.Tiles = tiles(s, stats)
	for _, w := range s.Warnings {
		a := alert{Code: string(w.Code), Text: sentence(w.Text), About: w.Node.Name}
		if !w.Since.IsZero() {
			a.Since = w.Since.UnixMilli()
		}
		v.Warnings = append(v.Warnings, a)
	}
	v.Tables = []table{memberTable(s), linkTable(s), m.table(s.At), propagationTable(s), originTable(s), backlogTable(s), dropTable(s), refusalTable(s),
		suspicionTable(s), historyTable(s), keyTable(s)}
	return v
}

// sentence capitalizes a text, because log lines begin with a lower-case letter.
func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// tiles returns the tiles of the overview.
func tiles(s *status.Status, stats gwyh.Stats) []tile {
	states := map[status.State]int{}
	for _, m := range present(s) {
		states[m.State]++
	}
	backlog, behind := 0, 0
	for i := range s.Links {
		if b := s.Links[i].Backlog; b > 0 {
			backlog += b
			behind++
		}
	}
	live := states[status.Alive] + states[status.Suspect]
	members := tile{Name: "Members", Value: count(live), Note: "all alive", Class: "good"}
	if n := states[status.Suspect]; n > 0 {
		members.Note, members.Class = fmt.Sprintf("%d suspected", n), "warn"
	}
	if n := states[status.Failed]; n > 0 {
		members.Note = strings.TrimPrefix(members.Note+fmt.Sprintf(", %d failed", n), "all alive, ")
		members.Class = "bad"
	}
	links := tile{Name: "Links", Value: count(stats.Links), Note: fmt.Sprintf("%d chosen by this node", stats.Subscriptions)}
	if s.Alone {
		links.Note, links.Class = "nothing is heard from other nodes", "bad"
	}
	health := tile{Name: "Health", Value: "good", Note: "of this node itself", Class: "good"}
	if s.Health > 0 {
		health.Value, health.Note, health.Class = fmt.Sprintf("score %d", s.Health), "slow, or loses packets", "warn"
	}
	queue := tile{Name: "Backlog", Value: size(float64(backlog)), Note: "no neighbor is behind"}
	if behind > 0 {
		queue.Note, queue.Class = fmt.Sprintf("%d of %d neighbors behind", behind, len(s.Links)), "warn"
	}
	return []tile{members, links, health, queue,
		{Name: "Messages received", Value: count(stats.BroadcastsDelivered), Note: copies(stats), Chart: "messages"},
		{Name: "Messages sent", Value: count(stats.BroadcastsSent), Note: "of this node's own", Chart: "sent"},
		{Name: "Traffic", Value: size(float64(stats.BytesSent + stats.BytesReceived)), Note: fmt.Sprintf("%s sent, %s received",
			size(float64(stats.BytesSent)), size(float64(stats.BytesReceived))), Chart: "bytes"},
		{Name: "Dropped", Value: count(stats.Dropped), Note: "datagrams and messages", Chart: "drops"},
	}
}

// present returns the members, except those that failed or left and whose name a live member has: the live member is
// a later run of the same node.
func present(s *status.Status) (list []*status.Member) {
	live := make(map[string]bool, len(s.Members))
	for i := range s.Members {
		if m := &s.Members[i]; m.State == status.Alive || m.State == status.Suspect {
			live[m.Name] = true
		}
	}
	for i := range s.Members {
		m := &s.Members[i]
		if m.State == status.Alive || m.State == status.Suspect || !live[m.Name] {
			list = append(list, m)
		}
	}
	return list
}

// copies describes how many copies of each message arrived.
func copies(stats gwyh.Stats) string {
	if stats.BroadcastsDelivered == 0 {
		return "none yet"
	}
	return fmt.Sprintf("%.1f copies of each", 1+float64(stats.BroadcastsDuplicate)/float64(stats.BroadcastsDelivered))
}

func memberTable(s *status.Status) table {
	t := table{Name: "members", View: "members", Title: "Members", Filter: true, Empty: "This node knows nobody.",
		Help: "Members that failed or left are listed for as long as this node remembers them.",
		Columns: []column{{Label: "Name"}, {Label: "State"}, {Label: "Since"}, {Label: "Zone"}, {Label: "Round trip", Number: true}, {Label: "Address", Extra: true},
			{Label: "Version", Extra: true}, {Label: "Metadata", Number: true, Extra: true}, {Label: "Incarnation", Number: true, Extra: true}}}
	for _, m := range present(s) {
		name := m.Name
		version := fmt.Sprintf("%d (%d to %d)", m.ProtocolCur, m.ProtocolMin, m.ProtocolMax)
		if m.Legacy {
			version = "gwyh 0.1"
		}
		rtt := number(milliseconds(m.RTT), m.RTT.Seconds())
		if m.ID == s.Self.ID {
			rtt = number("this node", -1)
		}
		t.Rows = append(t.Rows, row{ID: m.ID, Cells: []cell{text(name), badge(string(m.State), string(m.State)), moment(s.At, m.Since), text(m.Zone), rtt,
			text(m.Addr.String()), text(version), number(size(float64(m.MetaSize)), float64(m.MetaSize)), number(count(m.Incarnation), float64(m.Incarnation))},
			Data: map[string]any{"zone": m.Zone, "state": m.State, "name": m.Name}})
	}
	return t
}

func linkTable(s *status.Status) table {
	t := table{Name: "links", View: "links", Title: "Links", Empty: "This node has no link.",
		Help: "The nodes that this node exchanges broadcasts with. Loss is the share of what was sent there recently that did not arrive the first time.",
		Columns: []column{{Label: "Neighbor"}, {Label: "Zone"}, {Label: "Round trip", Number: true}, {Label: "Loss", Number: true}, {Label: "Chosen by"}, {Label: "Last heard"},
			{Label: "Datagrams", Number: true, Extra: true}, {Label: "Allowed rate", Number: true, Extra: true}, {Label: "Sent", Number: true, Extra: true}}}
	for i := range s.Links {
		l := &s.Links[i]
		loss := number(percent(l.Loss), l.Loss)
		if l.Loss >= lossy {
			loss.Class = "warn"
		}
		heard := moment(s.At, l.Heard)
		if !l.DeafSince.IsZero() {
			heard.Class = "bad"
		}
		mtu := number(fmt.Sprintf("%d B", l.MTU), float64(l.MTU))
		if l.Narrow {
			mtu.Class = "warn"
		}
		t.Rows = append(t.Rows, row{ID: l.ID, Cells: []cell{text(l.Name), text(l.Zone), number(milliseconds(l.RTT), l.RTT.Seconds()), loss, text(chosenBy(l)), heard,
			mtu, number(size(l.Rate)+"/s", l.Rate), number(size(float64(l.Sent)), float64(l.Sent))},
			Data: map[string]any{"zone": l.Zone, "name": l.Name, "rtt": l.RTT.Seconds() * 1000, "loss": l.Loss, "subscription": l.Subscription,
				"deaf": !l.DeafSince.IsZero()}})
	}
	return t
}

// lossy is the loss from which on the page highlights a link.
const lossy = 0.02

func chosenBy(l *status.Link) string {
	switch {
	case l.Subscription && l.Subscriber:
		return "both"
	case l.Subscription:
		return "this node"
	}
	return "the neighbor"
}

func propagationTable(s *status.Status) table {
	t := table{Name: "propagation", View: "messages", Title: "Propagation by zone", Empty: "No beacon was measured: set Config.BeaconInterval, or beacon-interval of the agent.",
		Help: "How long the last 128 beacons from each zone took to this node. The margin bounds the error if the two directions of a path differ.",
		Columns: []column{{Label: "From zone"}, {Label: "Median", Number: true}, {Label: "95 %", Number: true}, {Label: "Longest", Number: true}, {Label: "Last beacon"},
			{Label: "Margin", Number: true, Extra: true}, {Label: "Beacons", Number: true, Extra: true}}}
	for i := range s.Propagation {
		p := &s.Propagation[i]
		zone := cmp.Or(p.Zone, "no zone")
		t.Rows = append(t.Rows, row{ID: p.Zone, Cells: []cell{text(zone), number(milliseconds(p.Median), p.Median.Seconds()), number(milliseconds(p.P95), p.P95.Seconds()),
			number(milliseconds(p.Max), p.Max.Seconds()), moment(s.At, p.Heard), number(milliseconds(p.Margin), p.Margin.Seconds()), number(count(p.Count), float64(p.Count))}})
	}
	return t
}

// originsMax is the number of nodes in the table of those that send beacons.
const originsMax = 20

func originTable(s *status.Status) table {
	t := table{Name: "origins", View: "messages", Title: "Who is behind", Empty: "No node sends beacons.",
		Help:    fmt.Sprintf("At most %d nodes: first those whose last three beacons did not arrive, then those whose last beacon took longest.", originsMax),
		Columns: []column{{Label: "Node"}, {Label: "Zone"}, {Label: "Last beacon"}, {Label: "It took", Number: true}, {Label: "State"}}}
	for i := range s.Origins[:min(len(s.Origins), originsMax)] {
		o := &s.Origins[i]
		state := badge("on time", "alive")
		if o.Overdue {
			state = badge("overdue", "suspect")
		}
		t.Rows = append(t.Rows, row{ID: o.ID, Cells: []cell{text(nameOf(o.Node)), text(o.Zone), moment(s.At, o.Heard), number(milliseconds(o.Took), o.Took.Seconds()), state}})
	}
	return t
}

func backlogTable(s *status.Status) table {
	t := table{Name: "backlog", View: "queues", Title: "Backlog by neighbor", Empty: "This node has no link.",
		Help:    "What waits to be sent. A neighbor that falls behind slows its senders down.",
		Columns: []column{{Label: "Neighbor"}, {Label: "Bytes", Number: true}, {Label: "Messages", Number: true}, {Label: "Large messages", Number: true}}}
	largest := 1
	for i := range s.Links {
		largest = max(largest, s.Links[i].Backlog)
	}
	for i := range s.Links {
		l := &s.Links[i]
		bytes := number(size(float64(l.Backlog)), float64(l.Backlog))
		bytes.Bar = float64(l.Backlog) / float64(largest)
		t.Rows = append(t.Rows, row{ID: l.ID, Cells: []cell{text(l.Name), bytes, number(count(l.Queued), float64(l.Queued)), number(count(l.Transfers), float64(l.Transfers))}})
	}
	return t
}

func dropTable(s *status.Status) table {
	t := countTable(s.At, s.Drops)
	t.Name, t.View, t.Title, t.Empty = "drops", "queues", "Drops by reason", "Nothing was counted."
	t.Help = "Datagrams and messages that went no further here. docs/METRICS.md explains the reasons."
	return t
}

func refusalTable(s *status.Status) table {
	t := countTable(s.At, s.Refusals)
	t.Columns = append(t.Columns, column{Label: "Last from"})
	from := make(map[string]string, len(s.Refusals))
	for _, r := range s.Refusals {
		if r.From.IsValid() {
			from[r.Reason] = r.From.String()
		}
	}
	for i := range t.Rows {
		t.Rows[i].Cells = append(t.Rows[i].Cells, text(from[t.Rows[i].ID]))
	}
	t.Name, t.View, t.Title, t.Empty = "refusals", "queues", "Refused handshakes", "Nothing was counted."
	t.Help = "A wrong key or label, or a clock that is off, keeps a node out of the cluster."
	return t
}

func countTable(now time.Time, list []status.Drop) table {
	t := table{Columns: []column{{Label: "Reason"}, {Label: "Count", Number: true}, {Label: "Last"}}}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b status.Drop) int { return cmp.Compare(b.Count, a.Count) })
	largest := uint64(1)
	if len(list) > 0 {
		largest = max(largest, list[0].Count)
	}
	for _, d := range list {
		n := number(count(d.Count), float64(d.Count))
		n.Bar = float64(d.Count) / float64(largest)
		t.Rows = append(t.Rows, row{ID: d.Reason, Cells: []cell{text(strings.ReplaceAll(d.Reason, "_", " ")), n, moment(now, d.Last)}})
	}
	return t
}

func suspicionTable(s *status.Status) table {
	t := table{Name: "suspicions", View: "history", Title: "Suspicions", Empty: "Nobody is suspected.",
		Help:    "A suspected member counts as alive until it refutes, or the time is up.",
		Columns: []column{{Label: "Member"}, {Label: "Zone"}, {Label: "Since"}, {Label: "Accused by"}, {Label: "Incarnation", Number: true, Extra: true}}}
	for i := range s.Suspicions {
		x := &s.Suspicions[i]
		var by []string
		for _, a := range x.Accusers {
			by = append(by, nameOf(a))
		}
		t.Rows = append(t.Rows, row{ID: x.ID, Cells: []cell{text(x.Name), text(x.Zone), moment(s.At, x.Began), text(strings.Join(by, ", ")),
			number(count(x.Incarnation), float64(x.Incarnation))}})
	}
	return t
}

// happened maps a kind of event to its name on the page and its badge.
var happened = map[status.Kind][2]string{
	status.Joined: {"joined", "alive"}, status.Updated: {"updated", "info"}, status.Suspected: {"suspected", "suspect"},
	status.Refuted: {"refuted", "alive"}, status.MemberLeft: {"left", "left"}, status.MemberDied: {"failed", "failed"},
}

func historyTable(s *status.Status) table {
	t := table{Name: "history", View: "history", Title: "History", Empty: "Nothing has happened yet.",
		Help:    "What happened to members, the latest first.",
		Columns: []column{{Label: "Member"}, {Label: "What"}, {Label: "When"}, {Label: "Found by"}, {Label: "Last heard"}, {Label: "Zone", Extra: true}}}
	for i := len(s.History) - 1; i >= 0; i-- {
		e := &s.History[i]
		what := happened[e.Kind]
		t.Rows = append(t.Rows, row{ID: fmt.Sprintf("%s %s %d", e.Node.ID, e.Kind, e.At.UnixNano()),
			Cells: []cell{text(nameOf(e.Node)), badge(what[0], what[1]), moment(s.At, e.At), text(nameOf(e.By)), lastHeard(e), text(e.Node.Zone)}})
	}
	return t
}

// lastHeard says of a neighbor that failed whether it was silent, or did not hear this node.
func lastHeard(e *status.Event) cell {
	switch {
	case e.Heard.IsZero():
		return text("")
	case e.DeafSince.IsZero():
		return number(before(e.At, e.Heard), e.At.Sub(e.Heard).Seconds())
	}
	c := number(before(e.At, e.Heard)+"; it heard nothing of this node", e.At.Sub(e.Heard).Seconds())
	c.Class = "bad"
	return c
}

func keyTable(s *status.Status) table {
	t := table{Name: "keys", View: "security", Title: "Keys", Empty: "The node was shut down.",
		Help:    "All nodes should show the same fingerprints. A weak key has no fingerprint, because a fingerprint helps to guess it.",
		Columns: []column{{Label: "Fingerprint"}, {Label: "Use"}, {Label: "Strength"}}}
	for i, k := range s.Keys {
		use, strength := "accepted", badge("cannot be guessed", "alive")
		if k.Primary {
			use = "primary: offered first"
		}
		switch {
		case k.Default:
			strength = badge("the well-known default key", "failed")
		case k.Weak:
			strength = badge("can be guessed", "failed")
		}
		print := k.Fingerprint
		if print == "" {
			print = "none"
		}
		t.Rows = append(t.Rows, row{ID: fmt.Sprint(i, k.Fingerprint), Cells: []cell{text(print), text(use), strength}})
	}
	return t
}

// nameOf returns the name of a node, or the beginning of its id if the name is unknown.
func nameOf(n status.Node) string {
	if n.Name == "" && len(n.ID) > 8 {
		return n.ID[:8] + "…"
	}
	return n.Name
}
