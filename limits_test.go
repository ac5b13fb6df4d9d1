package gwyh_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limitsOf names, for rows of docs/LIMITS.md, the constants of which the bound must have the values. A row is named by its
// beginning. After the name of a constant follows its unit: "bytes", or none for a number or a duration.
var limitsOf = map[string][]string{
	"packets of IngestPacket":                       {"carrier.ingestDepth"},
	"goroutines that write to a Transport":          {"carrier.writersMax"},
	"datagrams that wait for these goroutines":      {"carrier.queuedMax"},
	"packets that share a datagram":                 {"wire.PacketsMax", "wire.PackedMax"},
	"names that calls passed":                       {"addrbook.HintsMax"},
	"messages for NotifyMsg":                        {"dispatch.MessagesMax"},
	"results of Pings":                              {"dispatch.callsMax"},
	"log lines that wait":                           {"dispatch.linesMax"},
	"messages of GetBroadcasts that are recognized": {"pull.age"},
	"polls of GetBroadcasts":                        {"pull.pollsMax"},
	"new members to which recent":                   {"pull.newcomersMax"},
	"bytes repeated to new members":                 {"pull.repeatsMax bytes"},
	"delivered messages known":                      {"dispatch.deliveredMax"},
	"propagation times":                             {"beacon.recentMax", "beacon.ZonesMax", "beacon.zoneLife"},
	"nodes whose last beacon":                       {"beacon.OriginsMax"},
	"intake:":                                       {"intake.messagesMax", "intake.bytesMax bytes"},
	"small messages of the node's own":              {"peer.SmallOwn bytes"},
	"small messages for a link":                     {"peer.SmallLazy bytes", "peer.queueAge"},
	"announcements, retransmissions and answers":    {"peer.SmallMax bytes"},
	"large messages for a link":                     {"peer.unsentMax bytes", "peer.TransfersMax"},
	"large messages of a node":                      {"assembly.StoreCount", "assembly.StoreMax bytes", "assembly.MessageMax bytes"},
	"failed neighbors for which":                    {"broadcast.failedMax"},
	"large messages that a peer has begun":          {"assembly.incompleteCount", "assembly.incompleteTotal bytes", "assembly.IncompleteSize bytes"},
	"separate byte ranges":                          {"assembly.RangesMax", "peer.RangesMax"},
	"messages that were announced":                  {"broadcast.MissingMax", "broadcast.AnnouncedMax"},
	"counters in the digests":                       {"broadcast.countersMax", "broadcast.countersFor"},
	"open requests to one peer":                     {"broadcast.openMax"},
	"pieces that a peer may request":                {"broadcast.creditMax", "broadcast.creditEach"},
	"Stops to a peer":                               {"broadcast.stopsMax"},
	"announced small messages":                      {"arena.IndexMax"},
	"broadcasts without a link":                     {"delivery.heldMax", "delivery.heldBytes bytes", "delivery.heldAge"},
	"ids that are kept one by one":                  {"seen.singleMax", "seen.singleAge"},
	"direct messages that wait":                     {"direct.WaitingMax", "direct.WaitingBytes bytes"},
	"reliable messages that wait":                   {"direct.AwaitedMax", "direct.SmallBytes bytes"},
	"reliable large messages":                       {"direct.KeptBytes bytes"},
	"packet numbers that the Naks":                  {"peer.nakMax"},
	"Pings of one datagram":                         {"peer.AcksMax"},
	"control packets that one packet causes":        {"peer.causedPackets", "peer.causedBytes bytes"},
	"members looked at":                             {"antientropy.drawnMin"},
	"stale entries":                                 {"antientropy.AnswersMax"},
	"control that does not fit":                     {"delivery.ControlMax"},
	"datagrams remembered for repair":               {"session.maxSentLog", "peer.SentHorizon", "peer.logNewest"},
	"exchanges of application state":                {"pushpull.oursMax", "pushpull.TheirsMax"},
	"Pings of the application":                      {"ping.Max"},
	"unanswered Pings":                              {"swim.pingsMax"},
	"members |":                                     {"members.Max", "legacy.MembersMax"},
	"nodes that wait for a verdict":                 {"pushpull.VotesMax"},
	"tombstones |":                                  {"members.TombstonesMax", "members.TombstoneAge"},
	"names in conflict":                             {"members.conflictNames", "members.conflictInterval"},
	"suspicions of one member":                      {"swim.suspicionBurst", "swim.accusedMax"},
	"refutations of a node":                         {"swim.refutalBurst"},
	"probes for others":                             {"swim.RequestedMax", "swim.requestersMax"},
	"addresses of Joins |":                          {"overlay.reachedMax"},
	"addresses of Joins that are knocked at":        {"node.knocksMax"},
	"seeds that are not tried":                      {"resolve.seedsMax"},
	"subscribers |":                                 {"overlay.SubscribersPer"},
	"subscribers of one source":                     {"overlay.SubscribersOfSource"},
	"members of other zones":                        {"overlay.hubsPer", "overlay.hubsOfSource"},
	"nodes with a session and no link":              {"peers.UnlinkedMax"},
	"sessions with one node":                        {"session.MaxSessions"},
	"packet counts by address":                      {"peers.seqsMax"},
	"zone names kept":                               {"members.zonesMax"},
	"links with gwyh 0.1":                           {"legacy.LinksMax"},
	"tasks that are delayed":                        {"legacy.JobsMax", "legacy.AttemptsMax"},
	"Config.MemoryLimit":                            {"memory.Default bytes", "memory.Min bytes"},
	"reserved for what does not depend on it":       {"memory.Reserve bytes"},
}

// The bounds in docs/LIMITS.md are those of the code.
func TestLimitsAreThoseOfTheConstants(t *testing.T) {
	text, err := os.ReadFile("docs/LIMITS.md")
	if err != nil {
		t.Fatal(err)
	}
	load := &constants{fset: token.NewFileSet(), packages: map[string]*types.Package{}}
	load.add("time", "package time; type Duration int64; const (Nanosecond Duration = 1; Microsecond = 1000 * Nanosecond; "+
		"Millisecond = 1000 * Microsecond; Second = 1000 * Millisecond; Minute = 60 * Second; Hour = 60 * Minute)")
	for row, names := range limitsOf {
		bound := boundOf(string(text), row)
		if bound == "" {
			t.Errorf("no row begins with %q", row)
			continue
		}
		for _, name := range names {
			name, unit, _ := strings.Cut(name, " ")
			want, err := load.value(name, unit)
			switch {
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case !regexp.MustCompile(`(^|[^0-9,.])` + regexp.QuoteMeta(want) + `($|[^0-9,a-zA-Z]|,[^0-9]|,$)`).MatchString(bound):
				t.Errorf("%q has the bound %q, want %s, which is %s", row, bound, want, name)
			}
		}
	}
}

// boundOf returns all but the first cells of the rows that begin with the given text.
func boundOf(text, row string) (bound string) {
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| "+row) && len(cells) >= 2 {
			bound += strings.Join(cells[1:], "; ")
		}
	}
	return bound
}

// constants finds values of constants in the sources of the packages in internal.
type constants struct {
	fset     *token.FileSet
	packages map[string]*types.Package
}

// add makes a package of a text.
func (c *constants) add(name, text string) {
	f, err := parser.ParseFile(c.fset, name+".go", text, 0)
	if err != nil {
		panic(err)
	}
	config := types.Config{}
	if c.packages[name], err = config.Check(name, c.fset, []*ast.File{f}, nil); err != nil {
		panic(err)
	}
}

// Import implements types.Importer. Of other modules and most of the standard library nothing is needed.
func (c *constants) Import(path string) (*types.Package, error) {
	const internal = "github.com/gwyh-go/gwyh/internal/"
	switch name, ours := strings.CutPrefix(path, internal); {
	case ours:
		return c.load(name)
	case path == "time":
		return c.packages[path], nil
	}
	return nil, errors.New("not needed")
}

func (c *constants) load(name string) (*types.Package, error) {
	if p := c.packages[name]; p != nil {
		return p, nil
	}
	files, err := filepath.Glob(filepath.Join("internal", name, "*.go"))
	if err != nil {
		return nil, err
	}
	var parsed []*ast.File
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "_windows") || strings.Contains(file, "_other") {
			continue
		}
		f, err := parser.ParseFile(c.fset, file, nil, 0)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, f)
	}
	config := types.Config{Importer: c, IgnoreFuncBodies: true, Error: func(error) {}}
	p, _ := config.Check(name, c.fset, parsed, nil) // there are errors because of what Import does not know
	c.packages[name] = p
	return p, nil
}

// value returns a constant as the document writes it.
func (c *constants) value(name, unit string) (string, error) {
	of, name, _ := strings.Cut(name, ".")
	p, err := c.load(of)
	if err != nil {
		return "", err
	}
	k, ok := p.Scope().Lookup(name).(*types.Const)
	if !ok {
		return "", errors.New("no such constant")
	}
	n, exact := constant.Int64Val(constant.ToInt(k.Val()))
	if !exact {
		return "", fmt.Errorf("the value is %v", k.Val())
	}
	switch {
	case k.Type().String() == "time.Duration":
		return duration(time.Duration(n)), nil
	case unit == "bytes" && n%(1<<20) == 0:
		return thousands(n>>20) + " MiB", nil
	case unit == "bytes":
		return thousands(n>>10) + " KiB", nil
	}
	return thousands(n), nil
}

func duration(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d%u.of == 0 {
			return fmt.Sprint(int64(d/u.of), " ", u.name)
		}
	}
	return d.String()
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
