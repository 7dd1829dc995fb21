// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "cgroup.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

namespace tokengate::detail {
namespace {

namespace fs = std::filesystem;

TEST(parse_cpu_max, quota_and_period_give_their_ratio) {
  EXPECT_EQ(parse_cpu_max("150000 100000\n"), 1.5);
  EXPECT_EQ(parse_cpu_max("50000 100000"), 0.5);
  EXPECT_EQ(parse_cpu_max("400000 50000\n"), 8.0);
}

TEST(parse_cpu_max, max_is_no_limit) {
  EXPECT_EQ(parse_cpu_max("max 100000\n"), std::nullopt);
  EXPECT_EQ(parse_cpu_max("max"), std::nullopt);
}

TEST(parse_cpu_max, garbage_is_no_limit) {
  for (auto text :
       {"", "\n", "100000", "0 100000", "100000 0", "-1 100000", "1e5 100000", "abc def",
        "100000 100000 7", "100000x 100000", "99999999999999999999999 100000"}) {
    EXPECT_EQ(parse_cpu_max(text), std::nullopt) << text;
  }
}

TEST(parse_cfs_quota, quota_and_period_give_their_ratio) {
  EXPECT_EQ(parse_cfs_quota("250000\n", "100000\n"), 2.5);
}

TEST(parse_cfs_quota, minus_one_is_no_limit) {
  EXPECT_EQ(parse_cfs_quota("-1\n", "100000\n"), std::nullopt);
}

TEST(parse_cfs_quota, garbage_is_no_limit) {
  EXPECT_EQ(parse_cfs_quota("", ""), std::nullopt);
  EXPECT_EQ(parse_cfs_quota("100000", ""), std::nullopt);
  EXPECT_EQ(parse_cfs_quota("100000", "0"), std::nullopt);
  EXPECT_EQ(parse_cfs_quota("1 2", "100000"), std::nullopt);
}

/// A tree of files in a temporary folder that stands for the root of the file system.
class cgroup_tree : public testing::Test {
 protected:
  cgroup_tree() {
    auto name = (fs::temp_directory_path() / "tokengate_cgroup_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    root_ = name;
  }

  ~cgroup_tree() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void write(fs::path const& file, std::string const& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream{root_ / file} << text;
  }

  void write_v1(fs::path const& group, std::string const& quota) {
    write(group / "cpu.cfs_quota_us", quota);
    write(group / "cpu.cfs_period_us", "100000\n");
  }

  fs::path root_;
};

TEST_F(cgroup_tree, empty_tree_has_no_quota) {
  EXPECT_EQ(cgroup_cpu_quota(root_), std::nullopt);
}

TEST_F(cgroup_tree, v2_group_gives_its_quota) {
  write("proc/self/cgroup", "0::/user.slice/app\n");
  write("sys/fs/cgroup/user.slice/app/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), 1.5);
}

TEST_F(cgroup_tree, tighter_v2_ancestor_wins) {
  write("proc/self/cgroup", "0::/a/b/c\n");
  write("sys/fs/cgroup/a/cpu.max", "120000 100000\n");
  write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/a/b/c/cpu.max", "300000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), 1.2);
}

TEST_F(cgroup_tree, sibling_group_is_ignored) {
  write("proc/self/cgroup", "0::/a\n");
  write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/b/cpu.max", "10000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), std::nullopt);
}

TEST_F(cgroup_tree, group_of_the_host_falls_back_to_the_containers_root) {
  write("proc/self/cgroup", "0::/docker/0123\n");
  write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), 2.0);
}

TEST_F(cgroup_tree, v1_group_is_found_under_each_mount_name) {
  for (auto name : {"cpu", "cpu,cpuacct", "cpuacct,cpu"}) {
    fs::remove_all(root_ / "sys");
    write("proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/app\n");
    write_v1(fs::path("sys/fs/cgroup") / name / "app", "50000\n");
    EXPECT_EQ(cgroup_cpu_quota(root_), 0.5) << name;
  }
}

TEST_F(cgroup_tree, tighter_v1_ancestor_wins) {
  write("proc/self/cgroup", "1:cpu:/pod/app\n");
  write_v1("sys/fs/cgroup/cpu", "-1\n");
  write_v1("sys/fs/cgroup/cpu/pod", "300000\n");
  write_v1("sys/fs/cgroup/cpu/pod/app", "400000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), 3.0);
}

TEST_F(cgroup_tree, similar_controller_names_are_not_cpu) {
  write("proc/self/cgroup", "1:cpuset:/app\n2:cpuacct:/app\n");
  write_v1("sys/fs/cgroup/cpu/app", "50000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), std::nullopt);
}

TEST_F(cgroup_tree, hybrid_layout_takes_the_tightest_of_both) {
  write("proc/self/cgroup", "1:cpu:/app\n0::/app\n");
  write_v1("sys/fs/cgroup/cpu/app", "300000\n");
  write("sys/fs/cgroup/unified/app/cpu.max", "250000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), 2.5);
}

TEST_F(cgroup_tree, group_outside_the_namespace_stays_inside_the_mount) {
  write("proc/self/cgroup", "0::/../../other\n");
  write("sys/other/cpu.max", "10000 100000\n");
  write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), 2.0);
}

TEST_F(cgroup_tree, colons_in_a_groups_name_are_kept) {
  write("proc/self/cgroup", "0::/cri:abc:1\n");
  write("sys/fs/cgroup/cri:abc:1/cpu.max", "100000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), 1.0);
}

TEST_F(cgroup_tree, garbage_files_have_no_quota) {
  write("proc/self/cgroup", "nonsense\n:\n0:/x\n\n0::\n");
  write("sys/fs/cgroup/cpu.max", "\x01\x02 lots\n");
  EXPECT_EQ(cgroup_cpu_quota(root_), std::nullopt);
}

TEST(cgroup_cpu_quota, real_system_gives_nothing_or_a_positive_number) {
  auto quota = cgroup_cpu_quota();
  EXPECT_TRUE(!quota || *quota > 0.0);
}

}  // namespace
}  // namespace tokengate::detail
