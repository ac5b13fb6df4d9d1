package pull

import "time"

const (
	trafficFor = time.Second            // for this time after a new message the polls are an Interval apart
	restFactor = 2                      // at rest they are this many Intervals apart, because each wake costs what a message does
	anewFor    = time.Second            // after this time of polls that only give single new messages
	anewFactor = 5                      // they are this many Intervals apart
	anewMost   = 200 * time.Millisecond // but no more than memberlist's polls, unless the Interval is longer
)

// A pace says how often to poll. An application that encodes its messages anew at each poll would otherwise cost
// all nodes a broadcast for each of its polls, at rest too: the pace slows such an application down to about
// memberlist's intervals. The queue of an application that has much to send is not slowed down.
type pace struct {
	begun   time.Time // of the current Interval
	polls   int       // in it
	traffic time.Time // when a poll last brought something new
	anew    time.Time // since when every poll has given new slices, and not many; zero if the last did not
}

// mayPoll reports whether the current interval has a poll left, and counts it.
func (p *pace) mayPoll(now time.Time, interval time.Duration) bool {
	if now.Sub(p.begun) >= interval {
		p.begun, p.polls = now, 0
	}
	if p.polls >= pollsMax {
		return false
	}
	p.polls++
	return true
}

func (p *pace) note(now time.Time, g *gave) {
	if g.fresh {
		p.traffic = now
	}
	burst := g.full && g.messages > 1
	switch {
	case g.messages == 0 || g.again > 0 || burst:
		p.anew = time.Time{}
	case p.anew.IsZero():
		p.anew = now
	}
}

func (p *pace) pause(now time.Time, interval time.Duration) time.Duration {
	switch {
	case !p.anew.IsZero() && now.Sub(p.anew) >= anewFor:
		return max(interval, min(anewFactor*interval, anewMost))
	case now.Sub(p.traffic) < trafficFor:
		return interval
	default:
		return restFactor * interval
	}
}
