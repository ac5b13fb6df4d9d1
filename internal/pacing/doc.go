// Package pacing is the congestion control of one link: it decides when the next datagram may leave and how many
// bytes may be in flight. It has no sockets, clock, locks or goroutines: the caller passes the time.
//
// The caller calls Wait before each datagram, Sent after each one, Report for a delivery report of the peer, Lost for
// packets named by its Naks, and Backoff for errors of the local system. Datagrams sent without Wait, as control
// messages are, count as well. Rates are in bytes per second. Sizes are in bytes and include everything that Sent
// counts. Reading order: controller.go, send.go, report.go, delay.go, loss.go.
//
// # Measurements
//
// rtt is the smoothed round-trip time: each sample has a weight of 1/8 and counts as at most 2 rtt + 50 ms. least is
// the smallest sample of the last 5 to 10 minutes. jitter is the smoothed difference of consecutive samples. It begins
// with the first difference, even if that is zero: on a path without jitter, the next difference may be a queue.
//
//	interval = max(rtt, 20 ms)                       the peer reports about that often
//	quick    = max(rtt, 2 ms)                        and that often while it receives 32 KiB or more each time
//	round    = from a report to the first that is 3/4 interval or more later
//	got      = the most that was delivered per second in a round of the last three intervals
//	carried  = got, if a datagram had to wait in one of these rounds and in the one before it; otherwise unknown
//	rise     = sample - least
//	risen(n) = each of the n newest samples has rise > max(12 ms, least/4 up to 20 ms, 2 jitter)
//	queued   = got * rise                            bytes of this link in queues
//
// A round that is shorter than interval lasts at least as long as it took to send what it reports, so reports that
// were held up on their way do not look like a fast path. After a time without anything to send, a round begins anew.
// carried is the rate of the path: what was delivered in other rounds depends on what the application sent.
//
// Of the samples for rise, only one counts in 3/4 interval. Samples of unpaced datagrams do not count for it, because
// these datagrams queued behind each other. The smallest of several samples is not affected by jitter. A busy host
// alone can add up to 12 ms. The limit of 20 ms makes a queue of 64 KB visible on a path of 10 Mbit/s and 200 ms.
//
// # Start
//
// A link sends 64 KiB unpaced and then waits for the first report. From then on
//
//	rate = max(rate, 2 got)
//
// so the rate doubles once per round. Up to 64 KiB per quick, the rounds of a start last 3/4 quick or more. Only the
// first report may lower it, to at least 16 KiB per interval, and only if the application sent as much as it could.
// The start ends with the first congestion, or when a queue is seen even without loss: risen(2), or one sample with
// twice the rise and more than 4 jitter. In addition, queued must be at least 24 KiB, so that the queue of another
// link does not end the start. Then rate = carried, or half of the rate if that is unknown.
//
// If no datagram waited and no report arrived for max(2 s, 8 rtt), the next Wait restarts the link.
//
// # Congestion
//
// Loss is what Naks named, but at most what the reports show as missing: datagrams that were named and arrive late
// are subtracted. Loss is congestion in two cases:
//
//	something was named in this round, and risen(3)
//	lost > (random + 2 %) n + sqrt(n)                of the last n datagrams
//
// with n at least 256 and those of one interval, or of one quick at the start. At the start, both cases count at the
// end of a round only, when datagrams that arrived late are subtracted. random is the share of loss that is not
// caused by this link's rate. It starts at 10 %. It falls to (lost + sqrt(n))/n of the reported datagrams if that is
// lower. When the second case occurs without rise, it moves halfway up to the measured share, to at most 20 %. So
// random loss below 10 % with constant delay neither ends the start nor lowers the rate, higher loss is learned and
// tolerated, and a path whose queue is too short to show in the delay is recognized by its loss. After each
// congestion, and after the unpaced burst, losses do not count until the datagrams sent so far are reported and
// another 5/4 rtt + 5 ms have passed, the time in which their losses are named. Hence the rate decreases at most once
// per round trip.
//
// # Decrease
//
// As in UDT (draft-gg-udt), the rate falls by 1/8; the actual factor is random between 3/32 and 5/32, so that links
// that share a path do not move in step:
//
//	rate = min(rate, carried) * (1 - 1/8 +- 1/32)
//
// carried counts only if a datagram had to wait in the last 4 intervals. Then nothing is sent for min(rise/2, rtt),
// the time in which half of the queue drains.
//
// # Increase
//
// At the end of each round in which losses count and at least half of the allowed bytes were sent:
//
//	rate = min(rate + slope * round, 9/8 got / (1 - random))
//
//	slope = datagram / (max(interval, 50 ms) * 0.1 s) * share  +  spare / hold
//	share = 1 while rise <= max(12 ms, 2 jitter), else (16 KiB/queued)^2, from 1/4 to 1
//	hold  = max(10 interval, 0.5 s)
//	spare = 0 until hold after the last congestion, all of the rate from 2 hold on; 0 with more rise
//
// The first term is the additive increase that makes links share a path. A link with many queued bytes increases more
// slowly, so that newcomers catch up. The second term is UDT's: an increase in proportion to the presumed spare rate,
// which grows with the time since the last congestion, up to the current rate. The bound keeps the rate close to what
// is delivered while a queue fills.
//
// # Bounds
//
//	rate   from max(32 KiB, 2 datagrams) to 1.25 GB per second
//	window = rate * (rtt + 2 interval + 10 ms)       from 64 KiB to 64 MiB; 64 KiB until the first report
//
// Two intervals tolerate one lost report. A datagram leaves when a token bucket, filled at the rate, holds its size;
// the bucket holds 2 ms of the rate or two datagrams. A caller that is scheduled late (Late) may catch up by at most
// 64 KiB, so a busy host comes near the rate. When the window is used up, sending stops. Exceptions: one datagram
// when a report is overdue by rtt + interval + 10 ms, a second after the same time, then one after each doubled time,
// up to 1 s. A report after four or more of them restarts the link, because everything sent before has left the
// network. A peer that cannot pass on what it receives reports late, but not that late; see Held. A Nak before the
// first report allows one datagram at once: the peer is there and its report was lost. So a stalled receiver costs at
// most one window, and whatever the peer reports, rate, window and wait stay within their bounds.
package pacing
