package doctor

// A proven check is one with the tests that bring its fault about and see that it, and
// nothing else, is found.
type proven struct {
	row   int // the fault's number in the catalogue; 0 for one that is not in it
	check string
	tests []string
}

const lastRow = 42 // of the catalogue

// catalogue is the index from faults to tests; TestMain holds it against what the tests
// have seen.
func catalogue() []proven {
	return []proven{
		{1, "files.initial-offset", []string{"TestFiles/1_in_single_quotes", "TestFiles/1_initialOffset", "TestSidecar/1_the_files_are_why_it_has_ended"}},
		{2, "files.auth-type", []string{"TestFiles/2_OIDC_without_an_endpoint", "TestFiles/2_a_binding_without_authType", "TestFiles/2_a_certificate_without_its_authority", "TestFiles/2_authRequired_that_is_no_boolean", "TestFiles/2_empty_authType", "TestFiles/2_half_of_a_key_pair", "TestFiles/2_no_authType", "TestFiles/2_no_such_authType", "TestFiles/2_password_without_a_user"}},
		{2, "files.brokers", []string{"TestFiles/2_a_list_of_brokers", "TestFiles/2_brokers_by_another_name", "TestFiles/2_no_brokers"}},
		{3, "files.placeholder", []string{"TestFiles/3_in_a_connection_string", "TestFiles/3_placeholder", "TestFiles/3_shell"}},
		{4, "files.kubernetes-store", []string{"TestFiles/4_Kubernetes'_secret_store"}},
		{5, "files.component-type", []string{"TestFiles/5_misspelt_type", "TestFiles/5_unknown_type", "TestFiles/5_unknown_version"}},
		{6, "files.duplicate", []string{"TestFiles/6_twice", "TestFiles/6_twice_in_a_file"}},
		{7, "files.secret-store", []string{"TestFiles/7_secret_store_that_isn't_there"}},
		{7, "sidecar.component", []string{"TestSidecar/7_a_component_that_isn't_loaded", "TestSidecar/7_somebody_else's_files_and_their_sidecar"}},
		{8, "files.pubsub", []string{"TestFiles/8_misspelt_name"}},
		{8, "sidecar.pubsub", []string{"TestSidecar/8_another_name"}},
		{9, "files.scopes", []string{"TestFiles/9_scopes"}},
		{10, "files.subscription", []string{"TestFiles/10_beside_a_file_of_another_fault", "TestFiles/10_subscription"}},
		{10, "sidecar.subscription", []string{"TestSidecar/10_a_subscription_to_nowhere"}},
		{11, "broker.reach", []string{"TestBroker/11_it_is_down", "TestBroker/11_it_takes_connections_and_says_nothing"}},
		{12, "broker.advertised", []string{"TestBroker/12_it_advertises_a_name_that_nobody_knows", "TestBroker/12_it_advertises_what_can't_be_reached"}},
		{13, "files.sasl-mechanism", []string{"TestFiles/13_mechanism"}},
		{14, "broker.tls", []string{"TestBroker/14_a_component_with_TLS_for_a_broker_without", "TestBroker/14_a_component_without_TLS_for_a_broker_with", "TestBroker/14_a_component_without_TLS_for_a_real_broker_with"}},
		{15, "topics.missing", []string{"TestTopics/15_all_missing", "TestTopics/15_missing"}},
		{16, "topics.drift", []string{"TestTopics/16_gone_too_early", "TestTopics/16_one_partition", "TestTopics/16_too_many_partitions_can't_be_taken_away"}},
		{16, "topics.subscribed", []string{"TestTopics/16_a_misspelt_topic_in_a_subscription"}},
		{17, "topics.replication", []string{"TestTopics/17_more_replicas_than_brokers"}},
		{18, "events.dead-letters", []string{"TestEvents/18_dead_letters", "TestHandlers/18_an_answer_that_Dapr_doesn't_know"}},
		{18, "events.stuck", []string{"TestHandlers/18_a_handler_that_fails_each_time", "TestHandlers/18_an_unknown_status_without_a_dead_letter_topic"}},
		{19, "sidecar.route", []string{"TestHandlers/19_no_such_route"}},
		{20, "files.dead-letter", []string{"TestFiles/20_dead_letters_at_once"}},
		{21, "files.unknown-key", []string{"TestFiles/21_keys"}},
		{21, "files.resiliency-target", []string{"TestFiles/21_policy", "TestFiles/21_target"}},
		{22, "events.wrapped-twice", []string{"TestEvents/22_wrapped_twice"}},
		{23, "sidecar.health", []string{"TestSidecar/23_nobody_on_the_app_port"}},
		{24, "environment.ports", []string{"TestEnvironment/24_a_port_is_taken"}},
		{25, "environment.orphans", []string{"TestOrphans/25_a_sidecar_of_an_earlier_run"}},
		{26, "environment.compose-ports", []string{"TestComposePorts/26_Redis"}},
		{28, "environment.compose-ports", []string{"TestComposePorts/28_the_dashboard"}},
		{28, "environment.versions", []string{"TestVersions/28_an_old_CLI"}},
		{29, "environment.dapr-enabled", []string{"TestEnvironment/29_DAPR_ENABLED_alone"}},
		{30, "events.outbox", []string{"TestDatabase/30_an_event_is_parked", "TestDatabase/30_events_wait"}},
		{31, "events.idle-group", []string{"TestEvents/31_nobody_consumes", "TestGroups/31_it_reads_under_another_group", "TestGroups/31_the_consumer_has_gone"}},
		{32, "files.newest", []string{"TestFiles/32_newest"}},
		{33, "files.retry-off", []string{"TestFiles/33_no_retry"}},
		{33, "files.gives-up", []string{"TestFiles/33_exponential"}},
		{33, "files.lossy-subscription", []string{"TestFiles/33_bulk", "TestFiles/33_ttl"}},
		{35, "database.open", []string{"TestDatabase/35_PostgreSQL_is_down", "TestDatabase/35_no_database", "TestPostgres/35_it_has_died", "TestPostgres/35_no_such_database", "TestPostgresWithAPassword/35_wrong_password"}},
		{35, "database.schema", []string{"TestPostgres/35_the_schema_is_behind", "TestPostgres/35_the_schema_is_newer"}},
		{35, "database.durable", []string{"TestPostgresThatForgets/35_fsync_is_off"}},
		{36, "database.redis", []string{"TestRedis/36_it_is_down", "TestRedis/36_no_password", "TestRedis/36_wrong_password"}},
		{37, "events.clock", []string{"TestEvents/37_clock"}},
		{38, "environment.token", []string{"TestToken/38_a_user_without_claim", "TestToken/38_another_algorithm", "TestToken/38_another_secret", "TestToken/38_another_user", "TestToken/38_expired", "TestToken/38_no_JSON", "TestToken/38_no_token", "TestToken/38_not_signed", "TestToken/38_not_yet_valid", "TestToken/38_two_at_once"}},
		{39, "environment.aio", []string{"TestEnvironment/39_asynchronous_I/O_is_used_up"}},
		{40, "environment.disk", []string{"TestEnvironment/40_disk"}},
		{41, "environment.daprd", []string{"TestEnvironment/41_a_daprd_that_can't_be_run", "TestEnvironment/41_no_daprd"}},
		{41, "environment.versions", []string{"TestVersions/41_an_old_daprd"}},
		{41, "sidecar.version", []string{"TestVersions/41_an_old_sidecar_that_runs"}},
		{42, "environment.reserved-ports", []string{"TestReservedPorts/42_reserved"}},
		{42, "environment.scripts", []string{"TestScripts/42_CR_LF"}},
		{0, "environment.running", []string{"TestEnvironment/nothing_runs", "TestEnvironment/the_stack_has_died"}},
		{0, "environment.api", []string{"TestEnvironment/the_task_API_hangs", "TestEnvironment/the_task_API_has_ended"}},
		{0, "files.folder", []string{"TestFiles/below"}},
		{0, "files.yaml", []string{"TestFiles/metadata_as_a_mapping", "TestFiles/no_YAML", "TestFiles/scopes_as_a_word"}},
		{0, "files.kind", []string{"TestFiles/apiVersion", "TestFiles/kind"}},
		{0, "sidecar.reach", []string{"TestSidecar/it_has_ended"}},
		{34, "sidecar.exposed", []string{"TestExposedSidecar"}},
		{27, "environment.docker", []string{"TestDocker/has_no_plugin", "TestDocker/is_denied", "TestDocker/is_down", "TestDocker/unhealthy"}},
	}
}
