// Package pushpull decides, together with the applications at both ends, what two nodes exchange beyond their member
// tables: the states of the applications, and the lists of members that each side judges before two clusters become
// one. It also asks the application about each node that is about to become a member.
//
// The package owns the exchanges in progress and their bounds, the questions to the application, the versions that
// all members understand, and the time of the next background push/pull. It never sends a message, changes the member
// table, or knows a session: an [Exchanger] takes messages, answers and the time, and appends [Outcome] values that its
// caller acts on in order. The member table is an argument, read during the call only.
//
// Read exchange.go and peer.go first, which have the types, then outcome.go and exchanger.go. own.go has the
// exchanges that this node begins, others.go those of other nodes, state.go the states of the applications, list.go the lists
// of members, and advance.go what a Join waits for. message.go and timeout.go have the inputs that lead to them. ask.go,
// versions.go and schedule.go stand alone.
package pushpull
