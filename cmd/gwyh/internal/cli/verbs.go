package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
)

var members = &Command{
	Name: "members", Summary: "list the members of an agent's cluster", speaks: true,
	usage: `
gwyh members lists the members that an agent knows: all that are alive or
suspected to have failed.

Usage:

	gwyh members [flags]

Flags:

	-json            write JSON
	-watch           keep running, and write which members join, leave,
	                 fail or change
`,
	define: func(f *flag.FlagSet, s *session) { jsonFlag(f, s); f.BoolVar(&s.watch, "watch", false, "") },
	run: func(ctx context.Context, s *session) error {
		show := func() error {
			var all []api.Member
			if err := s.agent.Get(ctx, "/v1/members", &all); err != nil {
				return err
			}
			return s.print(all, func(w io.Writer) {
				_, _ = fmt.Fprintln(w, "NAME\tADDRESS\tSTATE\tZONE\tRTT\tMETA")
				for _, m := range all {
					_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(m.Name), m.Addr, m.State, dash(printable(m.Zone)), trip(&m), dash(printable(string(m.Meta))))
				}
			})
		}
		if !s.watch {
			return show()
		}
		var failed error
		err := s.agent.Events(ctx, []string{api.MemberJoin, api.MemberLeave, api.MemberFailed, api.MemberUpdate},
			func() { failed = show() }, // the stream is open before the list is requested, so no event is missed in between
			func(e api.Event) error { return errors.Join(failed, s.printResult(&e)) })
		return errors.Join(failed, err)
	},
}

// trip formats the round trip of a member for a table.
func trip(m *api.Member) string {
	switch {
	case m.Self:
		return "this node"
	case m.RTT == 0:
		return "-"
	}
	return milliseconds(m.RTT)
}

func milliseconds(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Microsecond).String()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

var join = &Command{
	Name: "join", Summary: "make an agent join the nodes at some addresses", speaks: true, least: 1, max: -1,
	usage: `
gwyh join makes an agent join the nodes at the given addresses. If none is
reached, "gwyh doctor" says why.

Usage:

	gwyh join [flags] ADDR...
`,
	run: func(ctx context.Context, s *session) error {
		var r api.JoinResponse
		if err := s.agent.Post(ctx, "/v1/join", api.JoinRequest{Addresses: s.args}, &r); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "%d of %d addresses reached\n", r.Reached, len(s.args))
		return err
	},
}

var leave = &Command{
	Name: "leave", Summary: "make an agent leave its cluster and end", speaks: true,
	usage: `
gwyh leave makes an agent leave its cluster and end.

Usage:

	gwyh leave [flags]
`,
	run: func(ctx context.Context, s *session) error { return s.agent.Post(ctx, "/v1/leave", struct{}{}, nil) },
}

var broadcast = &Command{
	Name: "broadcast", Summary: "send a message to all agents of a cluster", speaks: true, least: 1, max: 2,
	usage: `
gwyh broadcast sends a message to all other agents of the cluster, whose
handlers run for it. The payload is the second argument, or the standard input
if there is none or it is "-".

Usage:

	gwyh broadcast [flags] NAME [PAYLOAD]
`,
	run: func(ctx context.Context, s *session) error {
		q := api.BroadcastRequest{Name: s.args[0]}
		if len(s.args) == 2 && s.args[1] != "-" {
			q.Text = s.args[1]
		} else {
			payload, err := io.ReadAll(io.LimitReader(s.in, payloadMax+1))
			if err != nil {
				return err
			}
			if len(payload) > payloadMax {
				return fmt.Errorf("the payload has more than %d bytes", payloadMax)
			}
			q.Payload = payload
		}
		return s.agent.Post(ctx, "/v1/broadcast", q, nil)
	},
}

const payloadMax = 16 << 20

var events = &Command{
	Name: "events", Summary: "follow the events of an agent", speaks: true,
	usage: `
gwyh events writes what happens: members that join, leave, fail or change, and
messages.

Usage:

	gwyh events [flags]

Flags:

	-type TYPES      only these, separated by commas: member-join,
	                 member-leave, member-failed, member-update, message
	-json            write JSON, one object per line
`,
	define: func(f *flag.FlagSet, s *session) { jsonFlag(f, s); f.StringVar(&s.text, "type", "", "") },
	run: func(ctx context.Context, s *session) error {
		var types []string
		if s.text != "" {
			types = strings.Split(s.text, ",")
		}
		return s.agent.Events(ctx, types, nil, func(e api.Event) error { return s.printResult(&e) })
	},
}

// printResult writes an event as one line.
func (s *session) printResult(e *api.Event) error {
	if s.json {
		return json.NewEncoder(s.out).Encode(e)
	}
	if e.Missed > 0 {
		_, _ = fmt.Fprintf(s.out, "(%d events were missed)\n", e.Missed)
	}
	at := e.Time.Local().Format("15:04:05.000")
	var err error
	switch {
	case e.Member != nil:
		_, err = fmt.Fprintf(s.out, "%s %-13s %s %s %s%s\n", at, e.Type, printable(e.Member.Name), e.Member.Addr, dash(printable(e.Member.Zone)), lastHeard(e))
	case e.Message != nil:
		const shown = 200
		payload := string(e.Message.Payload[:min(len(e.Message.Payload), shown)])
		more := ""
		if len(e.Message.Payload) > shown {
			more = fmt.Sprintf("... of %d bytes", len(e.Message.Payload))
		}
		_, err = fmt.Fprintf(s.out, "%s %-13s %s from %s: %s%s\n", at, e.Type, dash(printable(e.Message.Name)), dash(printable(e.Message.Origin)), printable(payload), more)
	}
	return err
}

// lastHeard says of a neighbor that failed whether it was silent, or did not hear the agent.
func lastHeard(e *api.Event) string {
	ago := func(t time.Time) time.Duration { return e.Time.Sub(t).Round(100 * time.Millisecond) }
	switch {
	case e.Heard.IsZero():
		return ""
	case e.DeafSince.IsZero():
		return fmt.Sprintf(" (last heard %v ago)", ago(e.Heard))
	}
	return fmt.Sprintf(" (last heard %v ago; for %v it has reported that it hears nothing of this node)", ago(e.Heard), ago(e.DeafSince))
}

var rtt = &Command{
	Name: "rtt", Summary: "measure the round trip to members", speaks: true, max: -1,
	usage: `
gwyh rtt measures the round trip from an agent to members, by name. Without a
name it measures to all members, at most 1000. If nodes send beacons
(beacon-interval of the agent), it also shows how long gossip takes from each
zone to the agent, and which nodes are behind.

Usage:

	gwyh rtt [flags] [NAME...]

Flags:

	-count N         measurements of each, of which the median is shown
	                 (default 3)
	-json            write JSON
`,
	define: func(f *flag.FlagSet, s *session) { jsonFlag(f, s); f.IntVar(&s.number, "count", 3, "") },
	run:    measure,
}

var keys = &Command{
	Name: "keys", Summary: "list, add, use, remove or rotate the keys of agents", speaks: true, max: -1,
	usage: `
gwyh keys lists the keys of an agent by their fingerprints, or changes them:

	add     accept another key, which is read from the standard input, and
	        write its fingerprint
	use     make a key the primary one; name it by its fingerprint
	remove  stop accepting a key; name it by its fingerprint

	rotate  do all three at all agents, given the address of the API of
	        each. All agents must have the same token. If a member is
	        missing, or an agent does not answer, nothing is changed

To change the key of a cluster step by step, add the new one at every node, then
use it at every node, then remove the old one at every node. The agent does not
write its configuration: change the configuration too, otherwise the agent has
the old keys after a restart.

Usage:

	gwyh keys [flags]
	gwyh keys [flags] add < FILE
	gwyh keys [flags] use FINGERPRINT
	gwyh keys [flags] remove FINGERPRINT
	gwyh keys [flags] rotate HTTP-ADDRESS... < FILE

The FILE of rotate has the new key. Keys to remove that can be guessed have no
fingerprint: write them into the next lines.

Flags:

	-json            write the list as JSON
`,
	define: jsonFlag,
	run:    changeKeys,
}

// weakKey stands for the fingerprint of a key that has none.
const weakKey = "(weak: it can be guessed, so it has no fingerprint)"

func changeKeys(ctx context.Context, s *session) error {
	switch {
	case len(s.args) == 0:
		var all []api.Key
		if err := s.agent.Get(ctx, "/v1/keys", &all); err != nil {
			return err
		}
		return s.print(all, func(w io.Writer) {
			for _, k := range all {
				name := cmp.Or(k.Fingerprint, weakKey)
				if k.Primary {
					name += "\tprimary"
				}
				_, _ = fmt.Fprintln(w, name)
			}
		})
	case s.args[0] == "add" && len(s.args) == 1:
		text, err := io.ReadAll(io.LimitReader(s.in, 1<<10))
		if err != nil {
			return err
		}
		key, err := config.ParseKey(strings.TrimSpace(string(text)))
		if err != nil {
			return err
		}
		if err := s.agent.Post(ctx, "/v1/keys/add", api.KeyRequest{Key: key}, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, cmp.Or(gwyh.KeyFingerprint(key), weakKey))
		return err
	case s.args[0] == "rotate" && len(s.args) > 1:
		return rotate(ctx, s, s.args[1:])
	case (s.args[0] == "use" || s.args[0] == "remove") && len(s.args) == 2:
		return s.agent.Post(ctx, "/v1/keys/"+s.args[0], api.KeyRequest{Fingerprint: s.args[1]}, nil)
	}
	return usageError("usage: gwyh keys [add | use FINGERPRINT | remove FINGERPRINT | rotate HTTP-ADDRESS...]")
}

var meta = &Command{
	Name: "meta", Summary: "change the metadata of an agent", speaks: true, least: 1, max: 1,
	usage: `
gwyh meta changes the metadata of an agent, which all members see.

Usage:

	gwyh meta [flags] TEXT
`,
	run: func(ctx context.Context, s *session) error {
		return s.agent.Post(ctx, "/v1/meta", api.MetaRequest{Text: s.args[0]}, nil)
	},
}

var info = &Command{
	Name: "info", Summary: "describe an agent: what it is, what it counts", speaks: true,
	usage: `
gwyh info describes an agent: its name and address, its version, its neighbors
and what it counts.

Usage:

	gwyh info [flags]

Flags:

	-json            write JSON
`,
	define: jsonFlag,
	run:    describe,
}

// dropped formats what an agent has dropped, the most frequent reason first.
func dropped(st *api.Stats) string {
	if len(st.Drops) == 0 {
		return fmt.Sprint(st.Dropped)
	}
	reasons := slices.SortedFunc(maps.Keys(st.Drops), func(x, y string) int { return cmp.Or(cmp.Compare(st.Drops[y], st.Drops[x]), cmp.Compare(x, y)) })
	for i, r := range reasons {
		reasons[i] = fmt.Sprint(r, " ", st.Drops[r])
	}
	return fmt.Sprintf("%d (%s)", st.Dropped, strings.Join(reasons, ", "))
}

func describe(ctx context.Context, s *session) error {
	var self api.Self
	if err := s.agent.Get(ctx, "/v1/self", &self); err != nil {
		return err
	}
	var links []api.Link
	if err := s.agent.Get(ctx, "/v1/links", &links); err != nil {
		return err
	}
	var warnings []api.Warning
	if err := s.agent.Get(ctx, "/v1/warnings", &warnings); err != nil {
		return err
	}
	both := struct {
		api.Self
		Links    []api.Link    `json:"links"`
		Warnings []api.Warning `json:"warnings"`
	}{self, links, warnings}
	return s.print(both, func(w io.Writer) {
		st := &self.Stats
		for _, line := range [][2]string{
			{"name", printable(self.Member.Name)},
			{"address", self.Member.Addr},
			{"id", self.Member.ID},
			{"zone", dash(printable(self.Member.Zone))},
			{"label", dash(printable(self.Label))},
			{"version", self.Version},
			{"running for", time.Since(self.Started).Round(time.Second).String()},
			{"health", health(self.Health)},
			{"members", fmt.Sprint(st.Members)},
			{"broadcasts", fmt.Sprintf("%d sent, %d received, %d duplicates, %d copies from other zones", st.BroadcastsSent, st.BroadcastsDelivered, st.BroadcastsDuplicate, st.BroadcastsCrossZone)},
			{"datagrams", fmt.Sprintf("%d sent (%d bytes), %d received (%d bytes)", st.DatagramsSent, st.BytesSent, st.DatagramsReceived, st.BytesReceived)},
			{"dropped", dropped(st)},
			{"event handlers", fmt.Sprintf("%d run, %d failed, %d events dropped", self.Handlers.Run, self.Handlers.Failed, self.Handlers.Dropped)},
		} {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
		for _, x := range warnings {
			_, _ = fmt.Fprintf(w, "WARNING\t%s\n", escaped(x.Text))
		}
		_, _ = fmt.Fprintf(w, "\nLINK TO\tADDRESS\tZONE\tRTT\tLOSS\tBACKLOG\tDATAGRAM\tCHOSEN BY\n")
		for _, l := range links {
			by := map[[2]bool]string{{true, true}: "both", {true, false}: "this node", {false, true}: "the other"}[[2]bool{l.Subscription, l.Subscriber}]
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f %%\t%d\t%d\t%s\n", printable(l.Name), l.Addr, dash(printable(l.Zone)), milliseconds(l.RTT), 100*l.Loss, l.Backlog, l.Datagram, by)
		}
	})
}

func health(score int) string {
	if score == 0 {
		return "good"
	}
	return fmt.Sprintf("poor (%d): the node lacks CPU time or loses packets", score)
}

var logCommand = &Command{
	Name: "log", Summary: "show the last lines of an agent's log", speaks: true,
	usage: `
gwyh log shows the last lines of an agent's log, at most 1000.

Usage:

	gwyh log [flags]

Flags:

	-json            write JSON
`,
	define: jsonFlag,
	run: func(ctx context.Context, s *session) error {
		var lines []api.LogLine
		if err := s.agent.Get(ctx, "/v1/log", &lines); err != nil {
			return err
		}
		return s.print(lines, func(w io.Writer) {
			for _, l := range lines {
				_, _ = fmt.Fprintf(w, "%s %-5s %s\n", l.Time.Local().Format("15:04:05.000"), l.Level, l.Text)
			}
		})
	},
}

var keygen = &Command{
	Name: "keygen", Summary: "make a random key",
	usage: `
gwyh keygen writes a random key of 32 bytes in base64, for -key-file, GWYH_KEY
or "gwyh keys add".

Usage:

	gwyh keygen
`,
	run: func(_ context.Context, s *session) error {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		_, err := fmt.Fprintln(s.out, base64.StdEncoding.EncodeToString(key))
		return err
	},
}

// A Build describes the build of this program.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // files had changes that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// ThisBuild returns what the Go toolchain recorded in the program.
func ThisBuild() Build {
	b := Build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	i, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if i.Main.Version != "" {
		b.Version = i.Main.Version
	}
	for _, s := range i.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

var version = &Command{
	Name: "version", Summary: "say which version of gwyh this is",
	usage: `
gwyh version says which version of gwyh this is and how it was built.

Usage:

	gwyh version [flags]

Flags:

	-json            write JSON
`,
	define: jsonFlag,
	run: func(_ context.Context, s *session) error {
		b := ThisBuild()
		return s.print(b, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "gwyh %s %s %s\n", b.Version, b.Go, b.Platform)
			if b.Revision != "" {
				modified := ""
				if b.Modified {
					modified = ", with changes"
				}
				_, _ = fmt.Fprintf(w, "revision %s%s\n", b.Revision, modified)
			}
		})
	},
}
