package pushpull

// A Join is the part of a Join of this node that concerns the applications: the exchange of their states, and whether
// both sides agree to become one cluster. The caller makes it with [Exchanger.NewJoin].
type Join struct {
	Token  uint64 // names the Join in questions to the application; 0 if nobody waits for its end
	Agreed bool   // nobody objects, so members may be exchanged
	Synced bool   // the members have been exchanged, so states may be merged
	Votes  int    // members that the application still decides about

	wantsState bool      // the exchange of states is not over
	state      *Exchange // of states; nil before it begins
	list       *Exchange // of members; nil before it begins, or if nobody judges
}

// WantsState reports whether the exchange of states is not over.
func (j *Join) WantsState() bool { return j.wantsState }

// TakesMembers reports whether members may be exchanged and have not been.
func (j *Join) TakesMembers() bool { return j.Agreed && !j.Synced }

// TookMembers reports whether the members have been exchanged.
func (j *Join) TookMembers() bool { return j.Synced }

// Deciding reports whether the application still decides about members.
func (j *Join) Deciding() bool { return j.Votes > 0 }

// Silence says that nobody waits for the end of the Join any more.
func (j *Join) Silence() { j.Token = 0 }

func (j *Join) token() uint64 {
	if j == nil {
		return 0
	}
	return j.Token
}

// exchangeEnded notes in a Join that one of its exchanges is over.
func (j *Join) exchangeEnded(out []Outcome, e *Exchange, err error) []Outcome {
	j.wantsState = j.wantsState && e.ofMembers()
	if err != nil {
		return append(out, Outcome{Kind: JoinFailed, Join: j, Err: err})
	}
	return append(out, Outcome{Kind: JoinAdvanced, Join: j})
}
