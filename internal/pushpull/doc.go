// Package pushpull decides, together with the applications at both ends, what two nodes exchange beyond their member
// tables: the applications' states, and the member lists that each side judges before two clusters become one. It also
// asks the application about each node that is about to become a member.
//
// The package owns the exchanges in progress and their bounds, the questions to the application, the versions that all
// members understand, and the time of the next background push/pull. It never sends a message, changes the member table,
// or accesses a session: an [Exchanger] takes messages, answers and the time, and appends [Outcome] values, which its
// caller processes in order. The member table is an argument and is read only during the call.
//
// Reading order: exchange.go and peer.go (types), outcome.go, exchanger.go, own.go (exchanges that this node begins),
// others.go (those of other nodes), state.go (application states), list.go (member lists), advance.go (what a Join waits
// for), and message.go and timeout.go (inputs). ask.go, versions.go and schedule.go are independent.
package pushpull
