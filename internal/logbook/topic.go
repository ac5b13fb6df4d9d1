package logbook

// A Topic is the subject of a log line. Each topic has its own bound.
type Topic uint8

const (
	Joined Topic = iota
	Left
	Failed
	Back
	Name
	Path
	Partition
	Suspicion
	Refutation
	Probe
	Handshake
	Link
	Choice
	Topics // number of topics
)

// topics has the level of each topic's lines, and the name of its suppressed lines in their summary.
var topics = [Topics]struct{ level, leftOut string }{
	Joined:     {"INFO", "members joined"},
	Left:       {"INFO", "members left"},
	Failed:     {"INFO", "members failed"},
	Back:       {"INFO", "members are back"},
	Name:       {"WARN", "name conflicts"},
	Path:       {"INFO", "paths were measured"},
	Partition:  {"INFO", "lines about partitions"},
	Suspicion:  {"DEBUG", "suspicions"},
	Refutation: {"DEBUG", "refutations"},
	Probe:      {"DEBUG", "lines about probes"},
	Handshake:  {"DEBUG", "lines about handshakes"},
	Link:       {"DEBUG", "lines about links"},
	Choice:     {"DEBUG", "choices"},
}

// bound returns the maximum number of lines of the topic per Interval.
func (t Topic) bound() int {
	if topics[t].level == "DEBUG" {
		return debugLines
	}
	return infoLines
}
