#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "backstage/exec/environment.hpp"
#include "backstage/files/files.hpp"
#include "backstage/files/memory_files.hpp"

namespace {

using namespace backstage;

class PosixFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "backstage-files-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    auto names = files_->list(directory_, 100);
    for (const auto& name : names->names) ASSERT_TRUE(files_->remove(directory_ + "/" + name));
    ::rmdir(directory_.c_str());
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  std::shared_ptr<files::Files> files_ = files::posix_files();
  std::string directory_;
};

TEST_F(PosixFiles, write_whole_replaces_the_content_and_leaves_no_temporary_file) {
  ASSERT_TRUE(files_->write_whole(path("a"), "one"));
  ASSERT_TRUE(files_->write_whole(path("a"), "second"));
  EXPECT_EQ(files_->read_whole(path("a"), 100).value(), "second");
  EXPECT_EQ(files_->list(directory_, 10)->names, std::vector<std::string>{"a"});
}

TEST_F(PosixFiles, write_whole_keeps_permissions_and_makes_new_files_private) {
  ASSERT_TRUE(files_->write_whole(path("a"), "x"));
  struct stat now{};
  ASSERT_EQ(::stat(path("a").c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 0777U, 0600U);
  ASSERT_EQ(::chmod(path("a").c_str(), 0644), 0);
  ASSERT_TRUE(files_->write_whole(path("a"), "y"));
  ASSERT_EQ(::stat(path("a").c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 0777U, 0644U);
}

TEST_F(PosixFiles, an_open_file_stays_the_file_that_was_opened) {
  ASSERT_TRUE(files_->write_whole(path("a"), "old"));
  auto open = files_->open(path("a"));
  ASSERT_TRUE(open);
  ASSERT_TRUE(files_->write_whole(path("a"), "new!"));
  std::array<char, 10> buffer{};
  EXPECT_EQ((*open)->read_at(1, buffer).value(), 2U);
  EXPECT_EQ(std::string(buffer.data(), 2), "ld");
  EXPECT_EQ((*open)->read_at(3, buffer).value(), 0U);
  EXPECT_NE((*open)->info()->id, files_->info(path("a"))->id);
}

TEST_F(PosixFiles, errors_name_the_attempt_the_path_and_the_reason) {
  auto absent = files_->open(path("absent"));
  ASSERT_FALSE(absent);
  EXPECT_TRUE(absent.error().is(Errc::not_found));
  EXPECT_NE(absent.error().text().find("cannot open '" + path("absent") + "'"), std::string::npos);
  EXPECT_TRUE(files_->open(directory_).error().is(Errc::invalid));
  EXPECT_TRUE(files_->write_whole(path("no/such/place"), "x").error().is(Errc::not_found));
}

TEST_F(PosixFiles, read_whole_stops_at_its_limit) {
  ASSERT_TRUE(files_->write_whole(path("a"), std::string(10'000, 'x')));
  EXPECT_EQ(files_->read_whole(path("a"), 10'000)->size(), 10'000U);
  EXPECT_TRUE(files_->read_whole(path("a"), 9'999).error().is(Errc::full));
}

TEST_F(PosixFiles, a_listing_says_when_it_is_cut) {
  for (const char* name : {"c", "a", "b"}) ASSERT_TRUE(files_->write_whole(path(name), ""));
  EXPECT_EQ(files_->list(directory_, 3)->names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(files_->list(directory_, 3)->is_complete);
  EXPECT_FALSE(files_->list(directory_, 2)->is_complete);
}

TEST_F(PosixFiles, W1_is_reached_through_the_environment) {
  auto environment = real_environment();
  environment->open<files::Files>(std::make_shared<files::MemoryFiles>());
  EXPECT_FALSE(environment->door<files::Files>().info("/proc"));
}

TEST(MemoryFiles, behaves_like_the_door_and_plays_faults) {
  files::MemoryFiles files;
  ASSERT_TRUE(files.write_whole("/d/a", "old"));
  files.fail_write("/d/a", Error(Errc::unavailable, "disk full"));
  EXPECT_FALSE(files.write_whole("/d/a", "new"));
  EXPECT_EQ(files.content("/d/a"), "old");
  files.fail_reads("/d/a", Error(Errc::unavailable, "broken"), 1);
  EXPECT_FALSE(files.read_whole("/d/a", 10));
  EXPECT_EQ(files.read_whole("/d/a", 10).value(), "old");
  EXPECT_EQ(files.list("/d", 9)->names, std::vector<std::string>{"a"});
  EXPECT_EQ(files.info("/d")->kind, files::FileKind::directory);
  EXPECT_TRUE(files.open("/x").error().is(Errc::not_found));
}

}  // namespace
