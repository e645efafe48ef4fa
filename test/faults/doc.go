// Package faults kills, starves and cuts off a running todoctl and asks afterwards
// whether the topic tells exactly what the database tells. All of it is in the tests:
// real processes of `todoctl serve`, each with a real daprd, a broker in a process of
// its own, PostgreSQL or SQLite, and proxies on the ways between them.
//
//	go test ./test/faults -v                                  the short run
//	go test ./test/faults -v -run Campaign -faults.long -timeout 0
//	go test ./test/faults -v -run Campaign/SQLite -faults.seed 42
//	go test ./test/faults -v -run Campaign -faults.kafka    Apache Kafka, one node
//	go test ./test/faults -v -run Nodes -faults.long -timeout 0
//
// TestWorkerCampaign does the same to workers: reminders that fall due, a webhook's
// receiver that has its moods, poison on the topics, and redrives under load. -run
// Campaign runs both.
//
// Beside the campaigns, which have all faults at random, there are drills, which have one
// after the other and look at every answer, log line and metric: TestDatabaseInTrouble,
// TestSlowDatabasePilesUpNothing, TestSidecarInTrouble, TestBrokerWithoutRoom and
// TestTakeover. TestNodes has the faults of a cluster of three nodes of Apache Kafka.
//
// The same seed gives the same faults in the same order; what they hit is a matter of
// timing. What must hold, and who judges it: see package checker.
package faults
